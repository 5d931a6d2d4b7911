"""The passes of an intervention: as the model is, changed, and with each control."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens import axes
from dva_lens.diagnostics.interventions.change import Change, Edit, PassRows
from dva_lens.diagnostics.interventions.logit_changes import logit_change
from dva_lens.diagnostics.interventions.parts import LayerParts, ModelParts
from dva_lens.diagnostics.interventions.value_paths import ValuePaths
from dva_lens.diagnostics.running import WatchedModel
from dva_lens.measuring.dataset import Part, part_of
from dva_lens.measuring.sequences import PaddedBatch
from dva_lens.recording.logits import Logits, next_token_loss
from dva_lens.recording.recorder import AttentionCall
from dva_lens.records import Record
from dva_lens.statistics.statistic import Statistic

OfBatch = Float[np.ndarray, "_ _"]
Progress = Callable[[int, int], None]


@final
@dataclass
class Outcome:
    """What the passes with one change were: numbers of every token, and statistics by batch.

    `divergence` and `logits` compare with the model as it is, and are empty for that itself.
    """

    loss: list[OfBatch] = field(default_factory=list[OfBatch])
    divergence: list[OfBatch] = field(default_factory=list[OfBatch])
    logits: list[OfBatch] = field(default_factory=list[OfBatch])
    parts: list[Part] = field(default_factory=list[Part])


@final
@dataclass(frozen=True)
class ChangedModel:
    """A watched model whose attention is handed to changes."""

    run: WatchedModel
    paths: ValuePaths
    statistics: tuple[Statistic, ...] = ()

    def parts(self) -> ModelParts:
        """Return what the layers have, as a pass over the first batch shows it."""
        layers: dict[int, LayerParts] = {}
        adapter = self.run.found.adapter

        def look(layer: int) -> Edit:
            def edit(call: AttentionCall, out: Tensor, rows: PassRows) -> Tensor:
                del rows
                layers[layer] = LayerParts.of(call, tuple(self.paths.summands(layer)))
                return out

            return edit

        changes = [Change(layer, look(layer)) for layer in range(adapter.depth)]
        first = next(iter(self.batches))
        self._output(first, 0, changes)
        self.run.recorder.reset()
        return ModelParts(adapter.name, adapter.depth, dict(sorted(layers.items())))

    def listen(self, changes: Sequence[Change]) -> None:
        """Run over all sequences with changes that only listen."""
        for first, batch in self._numbered():
            self._output(batch, first, changes)
            self.run.recorder.reset()

    def outcomes(
        self, changes: Mapping[str, Sequence[Change]], progress: Progress | None = None
    ) -> dict[str, Outcome]:
        """Run over all sequences with each of the changes, the first of which is none."""
        found = {name: Outcome() for name in changes}
        for first, batch in self._numbered():
            plain: Logits | None = None
            for name, some in changes.items():
                output = self._output(batch, first, some)
                self._keep(found[name], batch, output, plain)
                plain = output if plain is None else plain
            if progress is not None:
                progress(first + len(batch.tokens), len(self.run.found.sequences))
        return found

    @property
    def batches(self) -> list[PaddedBatch]:
        """Return the batches that run."""
        return list(self.run.found.sequences.batches(self.run.at_once))

    def _numbered(self) -> list[tuple[int, PaddedBatch]]:
        """Return the batches, each with the number of its first sequence."""
        batches = self.batches
        counts = np.cumsum([0, *(len(batch.tokens) for batch in batches)])
        return [(int(first), batch) for first, batch in zip(counts[:-1], batches, strict=True)]

    def _output(self, batch: PaddedBatch, first: int, changes: Sequence[Change]) -> Logits:
        calls: dict[int, AttentionCall] = {}
        edits, recorder = dict(changes), self.run.recorder
        device = self.run.found.adapter.device
        rows = PassRows(torch.as_tensor(np.asarray(batch.lengths), device=device), first)

        def edit(layer: int, attended: Tensor) -> Tensor:
            if layer not in edits:
                return attended
            if layer not in calls:
                raise TypeError(
                    f"Layer {layer} of {self.run.found.adapter.name} hands over a pattern and not "
                    f"its queries and keys; pass the model that is wrapped."
                )
            return edits[layer](calls.pop(layer), attended, rows)

        def listener(layer: int, call: AttentionCall) -> None:
            if layer in edits:
                calls[layer] = call

        recorder.listener, recorder.tokens = listener, np.asarray(batch.tokens)
        try:
            return self.run.output(batch, edit)
        finally:
            recorder.listener = None

    def _keep(
        self, outcome: Outcome, batch: PaddedBatch, output: Logits, plain: Logits | None
    ) -> None:
        adapter, lengths = self.run.found.adapter, np.asarray(batch.lengths)
        layers = self.run.recorder.take(adapter.depth)
        ids = torch.as_tensor(batch.tokens, device=adapter.device)
        loss = next_token_loss(output, ids, lengths)
        outcome.loss.append(np.asarray(loss, dtype=np.float64))
        if plain is not None:
            moved = logit_change(plain, output, lengths)
            outcome.divergence.append(moved.divergence)
            outcome.logits.append(moved.largest)
        if self.statistics:
            place = np.arange(batch.tokens.shape[1])
            tokens = np.where(place < lengths[:, None], batch.tokens, -1)
            record = Record(tokens, lengths, layers, loss)
            spans = axes.span_count(int(self.run.found.sequences.lengths.max()))
            outcome.parts.append(part_of(record, self.statistics, spans=spans))


def joined(parts: Sequence[OfBatch]) -> Float[np.ndarray, "sequence position"]:
    """Return numbers of every token of all batches, NaN beyond the end of a sequence."""
    longest = max(part.shape[1] for part in parts)
    return np.concatenate(
        [
            np.pad(part, ((0, 0), (0, longest - part.shape[1])), constant_values=np.nan)
            for part in parts
        ]
    )
