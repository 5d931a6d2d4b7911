"""The sinks of measured models: what each head gives the first key, and one chosen elsewhere.

What a sink is says `dva_lens.statistics.sinks`; here its numbers are read. Heads of different
trainings have nothing in common but their number, so every training is read by itself.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from dva_lens import axes
from dva_lens.results.measurement import Measurement
from dva_lens.results.moments import When
from dva_lens.results.reader import Measurements
from dva_lens.results.top_keys import KeyElsewhere, keys_elsewhere, token_at
from dva_lens.statistics.sinks import drain_word, has_sink, why_no_sink

MASS = "first_key_mass"
DRAINS = ("written_value_drain", "value_drain")
COLUMNS = (
    "model", "seed", "layer", "head", "key", "position", "token", "mass", "low", "high",
    "uniform", "untrained", "drain", "drain_low", "drain_high", "drain_of", "drained", "sink",
    "reason",
)  # fmt: skip


def sinks(
    measurements: Measurements,
    *,
    moment: When = "last",
    untrained: Measurements | None = None,
) -> pd.DataFrame:
    """Return the weight of every head on the first key and on another, sinks first.

    Parameters
    ----------
    measurements : Measurements
        What models were measured to be on one text.
    moment : {"last", "loss", "start"}
        When in training. At equal loss only the first key is read: where the largest of a text
        stands has no value between two steps.
    untrained : Measurements, optional
        The same models with random weights, where they were not measured as they were trained:
        the untrained model is the first step at 0 otherwise.

    Returns
    -------
    pandas.DataFrame
        One row per training, layer, head and key: `key` in words, its `position` (-1: that of a
        token, which differs between texts) and `token`; `mass` with its 95 % interval `low`,
        `high` for this checkpoint on new text, over queries that see at least 16 keys (for a key
        that is not the first, at the least, on the half of the texts that did not choose it);
        what `uniform` attention and the `untrained` model give it, NaN where not measured;
        `drain`, the size of its value over the median, with interval, the statistic it is read
        from (`drain_of`) and a verdict (`drained`); whether it is a `sink`, and the `reason` why
        not.

    Raises
    ------
    KeyError
        If no training holds the weight on the first key.
    ValueError
        If the moment does not exist or is "every".

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> table = sinks(open_archive("runs/quick").on())
    >>> bool((table["low"] <= table["mass"]).all())
    True
    """
    if moment == "every":
        raise ValueError("Sinks are those of one moment; pass 'last', 'loss' or 'start'.")
    reader = _Reader.of(measurements, moment, untrained)
    if untrained is not None:  # what was read of others is not kept here
        return reader.table(measurements)
    return measurements.once(("sinks", moment), lambda: reader.table(measurements)).copy()


def strongest(table: pd.DataFrame, model: str) -> Mapping[str, Any] | None:
    """Return the row of a model's strongest sink, or of its largest first-key mass without one."""
    own = table.loc[table["model"] == model].to_dict("records")
    found = [row for row in own if row["sink"]]
    first = [row for row in own if row["position"] == 0 and np.isfinite(row["mass"])]
    return next(iter((*found, *first)), None)


@final
@dataclass(frozen=True)
class _Reader:
    """Reads every training by itself, at one moment, over queries that see many keys."""

    each: Measurements
    moment: When
    start: Measurements | None
    start_moment: When
    spans: tuple[int, ...]

    @classmethod
    def of(
        cls, measurements: Measurements, moment: When, untrained: Measurements | None
    ) -> "_Reader":
        each = measurements.each_training()
        fewest = axes.span_of(axes.MANY_KEYS)
        counts = [part.data.sizes.get(axes.SPAN, 0) for part in each.parts]
        spans = tuple(range(fewest, max(counts, default=0)))
        grown = [part.model for part in each.parts if _starts_untrained(part)]
        if untrained is not None:
            return cls(each, moment, untrained.each_training(), "last", spans)
        start = each.of(*grown) if grown else None
        return cls(each, moment, start, "start", spans)

    def table(self, measurements: Measurements) -> pd.DataFrame:
        """Return the rows of every training of the measurements, sinks first."""
        rows: list[dict[str, Any]] = []
        for own, one in zip(measurements.parts, self.each.parts, strict=True):
            if MASS in own.data:
                rows += self.of_first_key(own, one.model)
                rows += self.of_other_keys(own, one.model)
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        order = ["sink", "mass"]
        return table.sort_values(order, ascending=False, kind="stable", ignore_index=True)

    def of_first_key(self, own: Measurement, name: str) -> Iterator[dict[str, Any]]:
        """Yield what every head of a training gives the first key."""
        found = self._estimate(MASS, name, axes.HEAD)
        uniform = self._uniform(name, found)
        before = self._before(MASS, name, found)
        drains, drain_of = self._drains(name, found)
        tokens = token_at(own, self.each.moment(self.moment), 0)
        for layer, head in np.ndindex(*found["value"].shape):
            mean, low, high = (
                float(found[part].values[layer, head]) for part in ("value", "low", "high")
            )
            if np.isnan(mean) and not _has_head(own, layer, head):
                continue
            numbers = (mean, low, high, float(uniform[layer]), float(before[layer, head]))
            key = {"key": "first key", "position": 0, "token": tokens[layer, head]}
            place = {"model": own.model, "seed": own.seed, "layer": layer, "head": head}
            yield {**place, **key, **_judged(*numbers), **_drained(drains, drain_of, layer, head)}

    def of_other_keys(self, own: Measurement, name: str) -> Iterator[dict[str, Any]]:
        """Yield the key but the first that is most often on top in every head that has one."""
        if self.moment == "loss" or "top_key_position" not in own.data:
            return
        found = keys_elsewhere(own, self.each.moment(self.moment))
        before = self._top_before(name)
        for one in found:
            place = {"model": own.model, "seed": own.seed, "layer": one.layer, "head": one.head}
            bar = float("nan") if before is None else float(before[one.layer, one.head])
            key = {"key": one.words, "position": one.position, "token": one.token}
            yield {**place, **key, **_of_other(one, bar)}

    def _estimate(self, statistic: str, name: str, heads: str) -> xr.Dataset:
        along = (axes.LAYER, heads)
        found = self.each.estimate(statistic, along, moment=self.moment, spans=self.spans)
        return found.sel({axes.MODEL: name})

    def _uniform(self, name: str, found: xr.Dataset) -> np.ndarray:
        layers = found.sizes[axes.LAYER]
        level = self.each.uniform(MASS, (axes.LAYER,), moment=self.moment, spans=self.spans)
        if level is None:
            return np.full(layers, np.nan)
        own = level.sel({axes.MODEL: name}) if axes.MODEL in level.dims else level
        return np.broadcast_to(own.values, (layers,)).astype(float)

    def _before(self, statistic: str, name: str, like: xr.Dataset) -> np.ndarray:
        """Return what the untrained model gives the first key, NaN where it was not measured."""
        blank = np.full(like["value"].shape, np.nan)
        if self.start is None or not self.start.of(name).holding(statistic).parts:
            return blank
        along = (axes.LAYER, axes.HEAD)
        found = self.start.estimate(statistic, along, moment=self.start_moment, spans=self.spans)
        values = found["value"].sel({axes.MODEL: name}).values
        rows, columns = (
            min(one, other) for one, other in zip(values.shape, blank.shape, strict=True)
        )
        blank[:rows, :columns] = values[:rows, :columns]
        return blank

    def _top_before(self, name: str) -> np.ndarray | None:
        """Return the largest mean weight on any key before training: no key had more."""
        top = "top_key_mass"
        if self.start is None or not self.start.of(name).holding(top).parts:
            return None
        found = self.start.estimate(top, (axes.LAYER, axes.HEAD), moment=self.start_moment)
        return found["value"].sel({axes.MODEL: name}).values

    def _drains(self, name: str, like: xr.Dataset) -> tuple[xr.Dataset | None, str]:
        """Return the drain of the first key by layer and query head, after W_O where known."""
        for statistic in DRAINS:
            if not self.each.of(name).holding(statistic).parts:
                continue
            along = (axes.LAYER, axes.KV_HEAD)
            found = self.each.estimate(statistic, along, moment=self.moment)
            found = found.sel({axes.MODEL: name})
            held = np.isfinite(found["value"].values).any(0)
            found = found.isel({axes.KV_HEAD: held})
            if held.any():
                heads, groups = like.sizes[axes.HEAD], int(held.sum())
                own = int(np.isfinite(like["value"].values).any(0).sum()) or heads
                group = np.minimum(np.arange(heads) * groups // own, groups - 1)
                return found.isel({axes.KV_HEAD: group}), statistic
        return None, ""


def _starts_untrained(part: Measurement) -> bool:
    return axes.STEP in part.data.dims and int(part.data[axes.STEP].values.min()) == 0


def _has_head(part: Measurement, layer: int, head: int) -> bool:
    sizes = part.data[MASS].sizes
    return layer < sizes[axes.LAYER] and head < sizes[axes.HEAD]


def _judged(
    mean: float, low: float, high: float, uniform: float, untrained: float
) -> dict[str, Any]:
    bars = np.asarray(low), np.asarray(uniform), np.asarray(untrained)
    return {
        "mass": mean, "low": low, "high": high, "uniform": uniform, "untrained": untrained,
        "sink": bool(has_sink(*bars)), "reason": why_no_sink(mean, low, uniform, untrained),
    }  # fmt: skip


def _drained(found: xr.Dataset | None, drain_of: str, layer: int, head: int) -> dict[str, Any]:
    if found is None:
        return {"drain_of": "", "drained": "undecided"}
    value, low, high = (
        float(found[each].values[layer, head]) for each in ("value", "low", "high")
    )
    return {
        "drain": value, "drain_low": low, "drain_high": high, "drain_of": drain_of,
        "drained": drain_word(low, high),
    }  # fmt: skip


def _of_other(one: KeyElsewhere, untrained: float) -> dict[str, Any]:
    drain, low, high = one.drain
    return {
        **_judged(*one.mass, one.uniform, untrained),
        "drain": drain, "drain_low": low, "drain_high": high, "drain_of": "top_key_drain",
        "drained": drain_word(low, high),
    }  # fmt: skip
