"""The one reader: numbers of measurements by model and seed, from an archive or from memory.

Means over spans are made here, by the rows of the layer they belong to, and nowhere else; every
view, report, page and command asks for them. What is averaged further is averaged by
`dva_lens.results.estimates`: rows weight spans within a layer, documents weigh by rows, and
layers, heads, texts and seeds weigh equally.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.entries import Entry, chosen_entry, entry_words, split_name
from dva_lens.results.joining import Place, joined, needed
from dva_lens.results.measurement import Measurement, coordinates_of
from dva_lens.results.moments import Moment, When, shared_moment
from dva_lens.results.schema import REFERENCE, statistics_of
from dva_lens.results.spans import ROWS, Spans, over_spans
from dva_lens.validation import meant


@final
@dataclass(frozen=True)
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

    @property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the study."""
        return tuple(dict.fromkeys(part.model for part in self.parts))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that any model was trained from."""
        return tuple(sorted({part.seed for part in self.parts}))

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics that any measurement holds."""
        return self._once(
            "statistics",
            lambda: tuple(dict.fromkeys(n for p in self.parts for n in statistics_of(p.data))),
        )

    def of(self, *models: str) -> "Measurements":
        """Return the measurements of these models only."""
        kept = tuple(part for part in self.parts if part.model in models)
        return Measurements(kept, self.text, self.left_out)

    def holding(self, *names: str) -> "Measurements":
        """Return the measurements that hold all of these statistics."""
        plain = [split_name(name)[0] for name in names]
        kept = tuple(part for part in self.parts if all(name in part.data for name in plain))
        return Measurements(kept, self.text, self.left_out)

    def variable(self, name: str) -> xr.DataArray:
        """Return a statistic as the first training that holds it recorded it, with its meaning.

        Raises
        ------
        KeyError
            If no training holds it.
        """
        plain, _ = split_name(name)
        for part in self.parts:
            if plain in part.data:
                return part.data[plain]
        raise KeyError(
            f"No measurement holds {plain!r}{meant(plain, self.statistics)}; "
            f"they hold: {', '.join(self.statistics)}."
        )

    def moment(self, kind: When = "last") -> Moment:
        """Return the moment of training of a kind that all measurements share."""
        return self._once(
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
        kept = spans if isinstance(spans, str) else tuple(spans)
        key = ("values", name, str(entry), moment, kept)
        return self._once(key, lambda: self._read(name, entry, self.moment(moment), kept))

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
        kept = spans if isinstance(spans, str) else tuple(spans)
        key = ("reference", name, str(entry), moment, kept)
        return self._once(
            key,
            lambda: self._read(name, entry, self.moment(moment), kept, suffix=REFERENCE),
        )

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    def _read(
        self, name: str, entry: Entry, moment: Moment, spans: Spans, suffix: str = ""
    ) -> Any:
        plain, entries = split_name(name)
        first = self.variable(plain)
        at = chosen_entry(first, ":".join(entries) if entries else entry)
        values: dict[Place, xr.DataArray] = {}
        rows: dict[Place, xr.DataArray] = {}
        for place, part in zip(self._places(), self.parts, strict=True):
            if plain + suffix not in part.data:
                continue
            found = part.data[plain + suffix].load()
            found = found.sel({dim: label for dim, label in at.items() if dim in found.dims})
            found, count = over_spans(moment.select(found), part.data, spans)
            values[place] = moment.interpolate(found, part.data)
            if count is not None:
                rows[place] = moment.most(count)
        if not values:
            return None
        array = joined(values, self.models, self.seeds)
        if rows:
            counts = needed(joined(rows, self.models, self.seeds), but=(axes.SEQUENCE, axes.SPAN))
            array = array.assign_coords({ROWS: counts.fillna(0.0)})
        about = self._once("coordinates", lambda: coordinates_of(self.parts))
        return array.assign_coords(_fitting(about, array)).assign_attrs(
            {
                **first.attrs,
                "moment": moment.words,
                "entry": entry_words(at),
                "text": self.text,
                "why_nan": self._why_nan(plain),
            }
        )

    def _why_nan(self, name: str) -> str:
        """Say, model by model, why a statistic has no number somewhere."""
        found: dict[str, str] = {}
        for part in self.parts:
            if name not in part.data:
                found[part.label] = "not measured"
            elif reason := part.data[name].attrs.get("why_not"):
                found[part.model] = str(reason)
        held = {(part.model, part.seed) for part in self.parts}
        found |= {
            f"{model}, seed {seed}": "no such training"
            for model in self.models
            for seed in self.seeds
            if (model, seed) not in held
        }
        return "; ".join(f"{who}: {why}" for who, why in found.items())

    def _places(self) -> list[Place]:
        models, seeds = self.models, self.seeds
        return [(models.index(part.model), seeds.index(part.seed)) for part in self.parts]


def _fitting(about: Mapping[str, xr.DataArray], array: xr.DataArray) -> dict[str, xr.DataArray]:
    return {name: found for name, found in about.items() if set(found.dims) <= set(array.dims)}
