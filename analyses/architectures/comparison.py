"""How far what was recorded is from what eager attention says, statistic by statistic."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from dva_lens import axes
from dva_lens.measuring.dataset import part_of
from dva_lens.records import Record
from dva_lens.sites import LOSS
from dva_lens.statistics.table import STATISTICS

EXACT = 1e-9
ALL = tuple(STATISTICS.values())


@final
@dataclass(frozen=True)
class EagerComparison:
    """How far the statistics of a model are from what its eager attention says.

    `worst` is the largest error, relative where a number is above one, and `where` the statistic
    that has it; `missing` maps statistics that are NaN somewhere to the reason, `unverified` are
    those that eager attention says nothing about. `refused` maps parts of a model with an encoder
    and a decoder that are not measured to what was said of them.
    """

    worst: float
    where: str
    missing: dict[str, str] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()
    layers: int = 0
    attending: int = 0
    form: str = ""
    refused: dict[str, str] = field(default_factory=dict)


def compared(own: Record, expected: Record) -> EagerComparison:
    """Compare every statistic of a record with that of another."""
    texts = own.lengths if own.keys is None else own.keys.lengths
    spans = axes.span_count(int(texts.max()))
    ours, theirs = (part_of(each, ALL, spans=spans) for each in (own, expected))
    worst, where, unverified, missing = 0.0, "", [], {}
    for name, mine in ours.values.items():
        other = theirs.values[name]
        if name in ours.why_not:
            missing[name] = ours.why_not[name]
        if mine.shape != other.shape:
            if np.isfinite(mine).any():
                unverified.append(name)
            continue
        held = np.isfinite(mine)
        if (held & ~np.isfinite(other)).any():
            unverified.append(name)
        both = held & np.isfinite(other)
        if name == "sink_rate":
            both &= ~tied(theirs.values["sink_importance"])
        gap = np.abs(mine - other)[both] / np.maximum(1.0, np.abs(other[both]))
        if gap.size and gap.max() > worst:
            worst, where = float(gap.max()), name
    attending = sum(each.summary is not None for each in own.layers)
    return EagerComparison(worst, where, missing, tuple(unverified), len(own.layers), attending)


def joined(
    parts: Mapping[str, EagerComparison], refused: Mapping[str, str] | None = None
) -> EagerComparison:
    """Return the comparison of a whole model from those of its parts."""
    first, *_ = parts.values()
    if not all(parts):
        return first
    worst = max(parts, key=lambda part: parts[part].worst)
    missing = {
        f"{name} of {part}": reason
        for part, each in parts.items()
        for name, reason in each.missing.items()
        if part != "encoder" or LOSS not in STATISTICS[name].needs  # which never predicts
    }
    return replace(
        first,
        worst=parts[worst].worst,
        where=f"{parts[worst].where} of {worst}",
        missing=missing,
        unverified=tuple(f"{name} of {part}" for part in parts for name in parts[part].unverified),
        layers=sum(each.layers for each in parts.values()),
        attending=sum(each.attending for each in parts.values()),
        refused=dict(refused or {}),
    )


def tied(importance: np.ndarray) -> np.ndarray:
    """Say where a sink is just as strong as a threshold, so that rounding decides on its rate."""
    thresholds = np.array(STATISTICS["sink_rate"].extra["threshold"], dtype=float)
    return np.abs(importance[..., None] - thresholds) < EXACT
