"""The passes of one measurement, and what is kept of each."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from dva_lens import axes
from dva_lens.data.tokenizer import token_texts
from dva_lens.kernels.guard import BUDGET, refuse_above
from dva_lens.measuring.dataset import DISPLAYED, Part, part_of
from dva_lens.measuring.prepare import sequences_together
from dva_lens.measuring.sequences import Batch, Windows
from dva_lens.recording.record import record, source_of
from dva_lens.records import Record
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.statistic import Statistic

KEPT_BUDGET = BUDGET


@final
@dataclass(frozen=True)
class Progress:
    """Where a measurement stands, for whoever draws it."""

    done: int
    total: int
    seconds_left: float


@final
@dataclass(frozen=True)
class Run:
    """The passes of one measurement, a window after the other, keeping only small arrays."""

    model: Any
    windows: Windows
    statistics: tuple[Statistic, ...]
    backend: str
    keep: str | None
    fidelity: bool

    def over(
        self, batch: int, progress: Callable[[Progress], None] | None
    ) -> tuple[list[Part], dict[str, Any]]:
        """Record every batch; the first sequence runs alone and says how faithful it was."""
        started, done, spans, shown = time.monotonic(), 0, 0, 0
        parts: list[Part] = []
        facts: dict[str, Any] = {}
        for each in self.windows.batches(self._together(batch)):
            seen = self._record(each, first=not parts)
            spans = spans or self._spans(seen)
            if self.keep == "query" and not parts:
                shown = self._shown(seen)
            kept = min(max(0, shown - done), len(seen.lengths))
            parts.append(part_of(seen, self.statistics, spans=spans, kept=kept))
            facts = _worst(facts, seen.provenance)
            done += len(seen.lengths)
            if progress is not None:
                spent, total = time.monotonic() - started, len(self.windows)
                progress(Progress(done, total, spent / done * (total - done)))
        return parts, facts

    def words(self, tokenizer: Any, shown: int) -> list[list[str]]:
        """Return the tokens of the first sequences as texts, or as numbers without a tokenizer."""
        if self.windows.images:
            return [[] for _ in range(shown)]
        ids = [self.windows.tokens(index) for index in range(shown)]
        if tokenizer is None:
            return [[str(token) for token in row.tolist()] for row in ids]
        return [token_texts(tokenizer, row.tolist()) for row in ids]

    def _record(self, batch: Batch, *, first: bool) -> Record:
        sites = {site.name: site for each in self.statistics for site in each.needs}
        return record(
            self.model,
            batch.tokens,
            batch.lengths,
            sites=tuple(sites.values()),
            backend=self.backend,
            fidelity=self.fidelity and first,
            reader=StatisticReader.of(self.statistics),
        )

    def _spans(self, seen: Record) -> int:
        return axes.span_count(self._longest(seen))

    def _longest(self, seen: Record) -> int:
        lengths = seen.lengths if self.windows.images else self.windows.lengths
        return int(lengths.max())

    def _together(self, batch: int) -> int:
        """Return how many sequences run at once, so that logits stay small."""
        if self.windows.images:
            return batch
        return sequences_together(source_of(self.model), self.model, self.windows, batch)

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
        return min(DISPLAYED, len(self.windows), KEPT_BUDGET // each)


def _worst(facts: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the first batch said, and the largest residual of any."""
    found = {**now, **facts}
    if not math.isnan(now.get("fidelity_rows", math.nan)):
        found["fidelity_rows"] = max(now["fidelity_rows"], facts.get("fidelity_rows", 0.0))
    return found
