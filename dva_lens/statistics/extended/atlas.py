"""Every sink of a text: where it stands, how strong it is, in which layers it is born and dies.

A position is a sink of a head where the mean weight of the queries that see it is above a
threshold. A learned sink is a virtual key that every query sees; it stands at position -1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord, Record
from dva_lens.sites import SUMMARY, AttentionSummary
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic
from dva_lens.statistics.visible import positions

VIRTUAL = -1
THRESHOLD = 0.3
FEWEST_VIEWERS = 8


@final
@dataclass(frozen=True)
class Sink:
    """One sink of one text.

    `strength` is its largest mean weight in any head, `heads` in how many heads of which layer
    it is one, `born` and `dies` the first and last such layer. The primary sink is the strongest
    of its text; all others are secondary.
    """

    sequence: int
    position: int
    token: int
    strength: float
    born: int
    dies: int
    heads: tuple[int, ...]
    primary: bool


def strengths(summary: AttentionSummary) -> Float[np.ndarray, "sequence head position"]:
    """Return the mean weight on every position, the virtual key first, from those who see it.

    Positions that fewer than `FEWEST_VIEWERS` queries see are NaN: a few rows say little, and a
    head that attends to itself would turn the last token into a sink.
    """
    viewers = np.where(summary.viewers >= FEWEST_VIEWERS, summary.viewers, np.nan)
    real = summary.received.astype(np.float64) / viewers[:, None]
    held = np.isfinite(summary.row_mass)
    count = held.sum(-1)
    missing = np.where(held, 1.0 - summary.row_mass, 0.0).sum(-1)
    virtual = ratio(missing, count)
    return np.concatenate([virtual[..., None], real], axis=-1)


def atlas(record: Record, *, threshold: float = THRESHOLD) -> tuple[Sink, ...]:
    """Return every sink of every text of a record, the strongest of each text first."""
    by_layer = [strengths(layer.at(SUMMARY)) for layer in record.layers]
    found: list[Sink] = []
    for sequence in range(len(record.lengths)):
        found += _of_text(record, sequence, [each[sequence] for each in by_layer], threshold)
    return tuple(found)


def sink_count(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence head"]:
    """Return how many positions, the virtual one included, are sinks of each head."""
    del shared
    found = strengths(layer.at(SUMMARY))
    count = (np.where(np.isnan(found), 0.0, found) > THRESHOLD).sum(-1).astype(np.float64)
    return np.where(np.isfinite(found[..., 1:]).any(-1), count, np.nan)


def strongest_other_sink(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head"]:
    """Return the largest mean weight on any position but the first and the virtual one."""
    del shared
    found = strengths(layer.at(SUMMARY))[..., 2:]
    if not found.shape[-1]:
        return np.full(found.shape[:-1], np.nan)
    most = np.where(np.isnan(found), -np.inf, found).max(-1)
    return np.where(np.isfinite(most), most, np.nan)


def virtual_mass(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head query"]:
    """Return what each row lacks of one: the weight of a learned sink."""
    del shared
    summary = layer.at(SUMMARY)
    return 1.0 - summary.row_mass.astype(np.float64)


def _of_text(
    record: Record, sequence: int, layers: Sequence[np.ndarray], threshold: float
) -> list[Sink]:
    counts = np.stack([(np.nan_to_num(each, nan=0.0) > threshold).sum(0) for each in layers])
    peaks = np.stack([np.nan_to_num(each, nan=0.0).max(0) for each in layers]).max(0)
    order = sorted(np.flatnonzero(counts.any(0)), key=lambda place: -peaks[place])
    sinks: list[Sink] = []
    for rank, place in enumerate(order):
        alive = np.flatnonzero(counts[:, place])
        position = int(place) - 1
        sinks.append(
            Sink(
                sequence=sequence,
                position=position,
                token=VIRTUAL
                if position == VIRTUAL
                else int(record.key_tokens[sequence, position]),
                strength=float(peaks[place]),
                born=int(alive[0]),
                dies=int(alive[-1]),
                heads=tuple(int(count) for count in counts[:, place]),
                primary=rank == 0,
            )
        )
    return sinks


def _uniform_others(lengths: np.ndarray) -> np.ndarray:
    """Return what uniform causal attention reads as its strongest other sink: position one."""
    found = np.full(np.shape(lengths), np.nan)
    for at, length in np.ndenumerate(np.asarray(lengths)):
        if length - 1 >= FEWEST_VIEWERS:
            found[at] = (1.0 / (2 + positions(int(length) - 1))).sum() / (length - 1)
    return found


def _uniform_count(lengths: np.ndarray) -> np.ndarray:
    """Return how many positions of uniform causal attention pass the threshold by themselves."""
    found = np.full(np.shape(lengths), np.nan)
    for at, length in np.ndenumerate(np.asarray(lengths)):
        viewers = length - positions(int(length))
        mean = np.cumsum(1.0 / viewers)[::-1] / viewers
        if length >= FEWEST_VIEWERS:
            found[at] = (mean[viewers >= FEWEST_VIEWERS] > THRESHOLD).sum()
    return found


SINK_COUNT = Statistic(
    name="sink_count",
    version=1,
    long_name="Sink positions",
    units="positions",
    meaning="How many positions take more than 0.3 of the weight of the queries that see them.",
    formula=r"\#\{k : \alpha_k > 0.3\},\quad \alpha_k = \frac{1}{N-k}\sum_{i\ge k} A_{ik}",
    source="Gu et al. 2024 (arXiv 2410.10781), importance of every position",
    at="head",
    needs=(SUMMARY,),
    compute=sink_count,
    bounds=lambda length: (0, length + 1),
    reference=_uniform_count,
    row_mass="what rows lack of one counts as one virtual position",
    pitfalls="Positions seen by fewer than eight queries are left out.",
)

STRONGEST_OTHER_SINK = Statistic(
    name="strongest_other_sink",
    version=1,
    long_name="Strongest sink that is not the first key",
    units="1",
    meaning="The largest mean weight on any later position, by the queries that see it.",
    formula=r"\max_{k>0} \alpha_k",
    source="Gu et al. 2024 (arXiv 2410.10781), importance of every position",
    at="head",
    needs=(SUMMARY,),
    signed=True,
    compute=strongest_other_sink,
    bounds=UNIT,
    reference=_uniform_others,
    pitfalls="A maximum over many positions is high by chance alone in short texts.",
)

VIRTUAL_MASS = Statistic(
    name="virtual_mass",
    version=1,
    long_name="Weight on no key",
    units="1",
    meaning="One minus the sum of a row: the weight of a learned sink or an off-by-one softmax.",
    formula=r"1 - \rho_i",
    source="Row mass of softmax-off-by-one and learned sinks",
    at="query",
    needs=(SUMMARY,),
    compute=virtual_mass,
    bounds=UNIT,
    reference=lambda visible: np.where(np.asarray(visible) >= 1, 0.0, np.nan),
    row_mass="this is the row mass",
    pitfalls="Rounding for softmax; sigmoid rows have no virtual key, and may exceed one.",
)
