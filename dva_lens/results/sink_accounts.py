"""What every training makes of sinks: how many heads, drained or not, and peaks beside them.

A sink, a drained value and a peak of the residual stream are three signs of one extreme token
(Guo et al. 2024, arXiv 2410.13835). Heads are ranked by two of them within each training, because
heads of different trainings have nothing in common.
"""

# Strict but for what pandas leaves untyped in its own signatures.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import pandas as pd

from dva_lens import axes
from dva_lens.results.reader import Measurements
from dva_lens.results.sinks import sinks
from dva_lens.statistics.inference.distributions import rank_agreement

PEAK = "massive_activation"
NAN = float("nan")
NONE = np.empty(0)
Row = Mapping[str, Any]


@final
@dataclass(frozen=True)
class SinkAccount:
    """One training: its heads, those with a sink, and what comes beside them.

    `mass` is the largest mean weight on the first key of any head, `drained` the share of its
    sinks whose value is drained, `peak` the largest massive-activation ratio over the layers and
    `peak_layer` where it is. `sink_and_drain` is Kendall's tau over heads between the weight on
    the first key and how small its value is, `sink_and_peak` that over layers between the mean
    weight and the ratio: above zero, one comes with the other. NaN where not measured.
    """

    model: str
    seed: int
    heads: int
    sinks: int
    mass: float
    drained: float
    peak: float
    peak_layer: float
    sink_and_drain: float
    sink_and_peak: float

    @property
    def share(self) -> float:
        """The share of the heads that have a sink, NaN where no layer attends."""
        return self.sinks / self.heads if self.heads else NAN


@final
@dataclass(frozen=True)
class SinkPlace:
    """A key and token on which heads of a model have their sink, over all its trainings.

    `sinks` counts the heads and `trainings` those that have any; `mass` is their mean weight and
    `drained` the share of them whose value is drained.
    """

    model: str
    key: str
    token: str
    sinks: int
    trainings: int
    mass: float
    drained: float


def sink_accounts(
    measurements: Measurements, *, untrained: Measurements | None = None
) -> tuple[SinkAccount, ...]:
    """Return an account of every training that holds the weight on the first key.

    Raises
    ------
    KeyError
        If no training holds the weight on the first key.
    """
    rows = _rows(sinks(measurements, untrained=untrained))
    each = measurements.each_training()
    peaks = _peaks(each)
    found: list[SinkAccount] = []
    for part, one in zip(measurements.parts, each.parts, strict=True):
        own = [row for row in rows if (row["model"], row["seed"]) == (part.model, part.seed)]
        if own:
            found.append(_account(part.model, part.seed, own, peaks.get(one.model, NONE)))
    return tuple(found)


def sink_places(table: pd.DataFrame) -> tuple[SinkPlace, ...]:
    """Return on which keys and tokens the sinks of each model stand, the most frequent first.

    `table` is what `dva_lens.results.sinks.sinks` returned.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in _rows(table):
        if row["sink"]:
            groups.setdefault((row["model"], row["key"], row["token"]), []).append(row)
    found = [
        SinkPlace(
            *place,
            sinks=len(rows),
            trainings=len({row["seed"] for row in rows}),
            mass=float(np.mean([row["mass"] for row in rows])),
            drained=float(np.mean([row["drained"] == "drained" for row in rows])),
        )
        for place, rows in groups.items()
    ]
    return tuple(sorted(found, key=lambda place: -place.sinks))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def _account(model: str, seed: int, own: Sequence[Row], peaks: np.ndarray) -> SinkAccount:
    heads = {(row["layer"], row["head"]) for row in own if np.isfinite(row["mass"])}
    held = [row for row in own if row["sink"]]
    judged = [row["drained"] == "drained" for row in held if np.isfinite(row["drain"])]
    first = [row for row in own if row["position"] == 0]
    mass = np.array([row["mass"] for row in first], dtype=float)
    drain = np.array([row["drain"] for row in first], dtype=float)
    layers = np.array([row["layer"] for row in first])
    of_layers = [mass[layers == at] for at in range(len(peaks))]
    by_layer = np.array([each.mean() if each.size else NAN for each in of_layers])
    peak = bool(np.isfinite(peaks).any())
    return SinkAccount(
        model,
        seed,
        heads=len(heads),
        sinks=len({(row["layer"], row["head"]) for row in held}),
        mass=float(np.nanmax(mass, initial=0.0)) if heads else NAN,
        drained=float(np.mean(judged)) if judged else NAN,
        peak=float(np.nanmax(peaks)) if peak else NAN,
        peak_layer=float(np.nanargmax(peaks)) if peak else NAN,
        sink_and_drain=rank_agreement(mass, -drain),
        sink_and_peak=rank_agreement(by_layer, peaks) if peak else NAN,
    )


def _peaks(each: Measurements) -> dict[str, np.ndarray]:
    """Return the massive-activation ratio of every layer of the trainings that hold it."""
    if PEAK not in each.statistics:
        return {}
    found = each.estimate(PEAK, (axes.LAYER,))["value"]
    return {
        str(name): values.astype(float)
        for name, values in zip(found[axes.MODEL].values, found.values, strict=True)
    }
