"""The one reader: numbers of measurements by model and seed, from an archive or from memory.

Means over spans are made here, by the rows of the layer they belong to, and nowhere else; every
view, report, page and command asks for them. What is averaged further is averaged by
`dva_lens.results.estimates`: rows weight spans within a layer, documents weigh by rows, and
layers, heads, texts and seeds weigh equally. What was read or estimated once is kept.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.entries import Entry, chosen_entry, entry_words, split_name
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.extract import Extract, extracted, why_nan
from dva_lens.results.measurement import Measurement, coordinates_of, models_of, seeds_of
from dva_lens.results.moments import Moment, When, shared_moment
from dva_lens.results.schema import statistics_of
from dva_lens.results.spans import Spans
from dva_lens.validation import meant


@final
@dataclass(frozen=True, repr=False)
class Measurements:
    """What models were measured to be on one text: one measurement per model and seed.

    `left_out` says which trainings could not be read, and why.
    """

    parts: tuple[Measurement, ...]
    text: str = ""
    left_out: tuple[str, ...] = ()
    _kept: dict[Any, Any] = field(
        default_factory=dict[Any, Any], init=False, repr=False, compare=False
    )

    def __repr__(self) -> str:
        runs = ", ".join(part.label for part in self.parts)
        lost = f"; {len(self.left_out)} cannot be read" if self.left_out else ""
        return (
            f"Measurements on {self.text or 'a text'}: {runs}{lost}\n"
            f"  statistics: {', '.join(self.statistics)}"
        )

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the study."""
        return models_of(self.parts)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that any model was trained from."""
        return seeds_of(self.parts)

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that any measurement holds."""
        return self.once(
            "statistics",
            lambda: tuple(dict.fromkeys(n for p in self.parts for n in statistics_of(p.data))),
        )

    def of(self, *models: str) -> "Measurements":
        """Return the measurements of these models only."""
        return self._only(tuple(part for part in self.parts if part.model in models))

    def holding(self, *names: str) -> "Measurements":
        """Return the measurements that hold all of these statistics."""
        plain = [split_name(name)[0] for name in names]
        return self._only(
            tuple(part for part in self.parts if all(name in part.data for name in plain))
        )

    def each_training(self) -> "Measurements":
        """Return the same measurements with every training as a model of its own.

        Of several trainings of one model, each is named by its seed too.
        """
        counts = [sum(part.model == other.model for other in self.parts) for part in self.parts]
        parts = tuple(
            part if count == 1 else replace(part, model=f"{part.model} · seed {part.seed}")
            for part, count in zip(self.parts, counts, strict=True)
        )
        return self.once("each training", lambda: replace(self, parts=parts))

    def variable(self, name: str) -> xr.DataArray:
        """Return a statistic as the first training that holds it recorded it, with its meaning.

        Raises
        ------
        KeyError
            If no training holds it.
        """
        return self.once(("variable", name), lambda: self._variable(split_name(name)[0]))

    def moment(self, kind: When = "last") -> Moment:
        """Return the moment of training of a kind that all measurements share."""
        return self.once(
            ("moment", kind), lambda: shared_moment([part.data for part in self.parts], kind)
        )

    def values(
        self,
        name: str,
        *,
        entry: Entry = None,
        moment: When = "last",
        spans: Spans = "all",
    ) -> xr.DataArray:
        """Return a statistic over (model, seed, sequence, layer, head), averaged over spans.

        Parameters
        ----------
        name : str
            The statistic; `sink_rate:0.3` names the entry of its further dimension too.
        entry : mapping, label, "every" or None
            The label of each further dimension; default: the published threshold, values of the
            first layer, the first of anything else. "every" keeps these dimensions, at the end.
        moment : {"last", "loss", "start", "every"}
            The last step all share, the lowest loss all reach, the untrained start, or all steps
            (dimension `step`, after `seed`).
        spans : "all", "each" or numbers
            Queries of all spans, of each span (dimension `span`), or only of these spans.

        Returns
        -------
        xarray.DataArray
            float64, in the units of the statistic. Dimensions that a statistic does not have are
            left out: `kv_head` stands for `head` where key-value heads are counted, and loss is
            over (model, seed, sequence). NaN where a training is missing, a text or a model is
            shorter, or the statistic does not apply (`attrs["why_nan"]`). Coordinates: `rows`
            (queries behind each number, along the dimensions it differs in; absent where the
            statistic is not of queries), `document` and `length` of each sequence, `run` (label
            of each training), `layers` (depth of each model).

        Raises
        ------
        KeyError
            If no training holds the statistic.
        ValueError
            If the entry or the moment does not exist, or if the seeds of a model were measured
            on different texts.

        Examples
        --------
        >>> from dva_lens.results.archive import open_archive
        >>> measured = open_archive("runs/quick").on("held-out")
        >>> measured.values("entropy").dims
        ('model', 'seed', 'sequence', 'layer', 'head')
        >>> measured.values("loss", moment="every").dims
        ('model', 'seed', 'step', 'sequence')
        """
        return self._values(self._extract(name, entry, moment, spans))

    def reference(
        self,
        name: str,
        *,
        entry: Entry = None,
        moment: When = "last",
        spans: Spans = "all",
    ) -> xr.DataArray | None:
        """Return what a statistic reads on uniform attention, averaged as `values` does.

        Dimensions that a reference does not have, such as `head`, are left out. None if no
        training holds a reference; `why_no_reference` among the attributes of the statistic says
        why.
        """
        return self._values(replace(self._extract(name, entry, moment, spans), uniform=True))

    def estimate(
        self,
        name: str,
        along: Sequence[str] = (),
        *,
        entry: Entry = None,
        moment: When = "last",
        spans: Spans = "all",
    ) -> xr.Dataset:
        """Return the mean of a statistic along dimensions with its interval, for every model.

        It is `estimates.estimate` of `values`, found once, however often it is asked for.

        Raises
        ------
        KeyError
            If no training holds the statistic.
        ValueError
            As for `values`.
        """
        extract = self._extract(name, entry, moment, spans)
        key = ("estimate", extract, tuple(along))
        return self.once(key, lambda: estimate(self._values(extract), along))

    def uniform(
        self,
        name: str,
        along: Sequence[str] = (),
        *,
        entry: Entry = None,
        moment: When = "last",
        spans: Spans = "all",
    ) -> xr.DataArray | None:
        """Return the mean of `reference` over (model, *along), None if there is no reference."""
        extract = replace(self._extract(name, entry, moment, spans), uniform=True)
        level = self._values(extract)
        if level is None:
            return None
        return self.once(
            ("uniform", extract, tuple(along)), lambda: mean_of(level, (axes.MODEL, *along))
        )

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Return what was computed of these measurements under a key, computed the first time."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    def _variable(self, name: str) -> xr.DataArray:
        for part in self.parts:
            if name in part.data:
                return part.data[name]
        raise KeyError(
            f"No measurement holds a statistic {name!r}{meant(name, self.statistics)}; "
            f"they hold: {', '.join(self.statistics)}."
        )

    def _extract(self, name: str, entry: Entry, moment: When, spans: Spans) -> Extract:
        plain, entries = split_name(name)
        at = chosen_entry(self.variable(plain), ":".join(entries) if entries else entry)
        kept = spans if isinstance(spans, str) else tuple(spans)
        return Extract(plain, tuple(at.items()), self.moment(moment), kept)

    def _values(self, extract: Extract) -> Any:
        return self.once(("values", extract), lambda: self._read(extract))

    def _read(self, extract: Extract) -> Any:
        about = self.once("coordinates", lambda: coordinates_of(self.parts))
        array = extracted(self.parts, extract, about)
        if array is None:
            return None
        return array.assign_attrs(
            {
                **self.variable(extract.name).attrs,
                "moment": extract.moment.words,
                "entry": entry_words(dict(extract.entries)),
                "text": self.text,
                "why_nan": why_nan(self.parts, extract.name),
            }
        )

    def _only(self, parts: tuple[Measurement, ...]) -> "Measurements":
        """Return some of the measurements; what is read of them is kept as it is here."""
        if len(parts) == len(self.parts):
            return self
        key = ("only", tuple((part.model, part.seed) for part in parts))
        return self.once(key, lambda: replace(self, parts=parts))
