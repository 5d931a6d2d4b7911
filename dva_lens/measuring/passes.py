"""The passes of one measurement, and what is kept of each."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Int

from dva_lens import axes
from dva_lens.kernels.guard import BUDGET, refuse_above
from dva_lens.measuring.dataset import DISPLAYED, Part, part_of
from dva_lens.measuring.prepare import Prepared
from dva_lens.recording.edge_plan import EdgePlan
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.records import Record
from dva_lens.statistics.statistic import Statistic

KEPT_BUDGET = BUDGET
FARTHEST = ("fidelity_rows", "fidelity_attention")
COUNTED = ("fidelity_attention_rows", "fidelity_visible_rows")


@final
@dataclass(frozen=True)
class MeasureProgress:
    """Where a measurement stands, for whoever draws it."""

    done: int
    total: int
    seconds_left: float


@final
@dataclass(frozen=True)
class Passes:
    """The passes of one measurement, a batch after the other, keeping only small arrays."""

    prepared: Prepared
    statistics: tuple[Statistic, ...]
    options: RecordOptions
    keep: str | None
    edges: int = 0

    def over(
        self, batch: int, progress: Callable[[MeasureProgress], None] | None
    ) -> tuple[list[Part], dict[str, Any]]:
        """Record every batch, and say what ran."""
        started, done, spans, shown = time.monotonic(), 0, 0, 0
        parts: list[Part] = []
        facts: dict[str, Any] = {}
        sequences = self.prepared.sequences
        for each in sequences.batches(self.prepared.sequences_per_pass(batch)):
            options = replace(self.options, compared=each.first, plan=self._plan(done))
            adapter = self.prepared.adapter
            if each.source is not None:
                adapter = adapter.reading(each.source)
            seen = record_pass(adapter, each.tokens, each.lengths, options)
            if each.first:
                spans = axes.span_count(self._longest(seen))
                shown = self._shown(seen) if self.keep == "query" else 0
            kept = min(max(0, shown - done), len(seen.lengths))
            parts.append(part_of(seen, self.statistics, spans=spans, kept=kept))
            facts = _worst(facts, seen.provenance)
            done += len(seen.lengths)
            if progress is not None:
                spent, total = time.monotonic() - started, len(sequences)
                progress(MeasureProgress(done, total, spent / done * (total - done)))
        return parts, facts

    def words(self, lengths: Int[np.ndarray, "shown"]) -> list[Sequence[str]]:
        """Return the tokens of the first sequences as texts, or as numbers without a tokenizer.

        Patches of images are called by their row and column.
        """
        if not self.prepared.sequences.images:
            return [self.prepared.words(index) for index in range(len(lengths))]
        grid = self.prepared.grid
        return [[] if grid is None else grid.words(int(each)) for each in lengths]

    def _plan(self, done: int) -> EdgePlan | None:
        """Say which sequences of the pass after so many others may keep their edges."""
        sequences, grid = self.prepared.sequences, self.prepared.grid
        if self.keep != "query" or self.edges < 1 or done >= DISPLAYED:
            return None
        if sequences.images and grid is None:
            return None
        lengths = tuple(int(length) for length in sequences.lengths[:DISPLAYED])
        if grid is not None:
            lengths = (grid.most,) * len(lengths)
        return EdgePlan(self.edges, self.prepared.adapter.depth, lengths, done)

    def _longest(self, seen: Record) -> int:
        sequences = self.prepared.sequences
        if seen.keys is not None and sequences.read is not None:
            return int(sequences.read.lengths.max())
        return int((seen.lengths if sequences.images else sequences.lengths).max())

    def _shown(self, seen: Record) -> int:
        """Return how many sequences, the first ones, may keep their numbers per query."""
        heads = max(
            (each.summary.entropy.shape[1] for each in seen.layers if each.summary), default=0
        )
        count = sum(statistic.at == "query" for statistic in self.statistics)
        each = max(1, 4 * count * len(seen.layers) * heads * self._longest(seen))
        refuse_above(
            each,
            f"Keeping {count} statistics of every query of one sequence",
            alternative="choose fewer `statistics` or a shorter text, or leave `keep` out "
            "(`--no-queries`)",
            budget=KEPT_BUDGET,
        )
        return min(DISPLAYED, len(self.prepared.sequences), KEPT_BUDGET // each)


def _worst(facts: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the first batch said, the largest distance of any, and how much was compared."""
    found = {**now, **facts}
    for name in facts.keys() & now.keys():
        if name in FARTHEST and not math.isnan(now[name]):
            found[name] = max(now[name], facts[name])
        elif name in COUNTED:
            found[name] = now[name] + facts[name]
    return found
