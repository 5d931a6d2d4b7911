"""Logits of a pass, formed at once or a part at a time from the last hidden states.

The logits of a long text take more memory than everything else of a pass together, and the loss
needs no two of them at the same time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dva_lens.recording.norms import accurate

READ_AT_ONCE = 1 << 20
ROWS_AT_ONCE, VOCABULARY_AT_ONCE = 1 << 10, 1 << 12
Rows = Float[Tensor, "position channel"]
Hidden = Float[Tensor, "position width"]
Targets = Int[Tensor, "position"]
Losses = Float[Tensor, "position"]


class Logits(ABC):
    """What a model puts out at each position: logits, or hidden states where it has none."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Return the numbers of sequences, positions and channels."""

    @abstractmethod
    def rows(self, sequence: int, start: int, stop: int) -> Rows:
        """Return some rows of a sequence."""

    @abstractmethod
    def states(self, sequence: int) -> Rows:
        """Return the rows of a sequence, or what they are made of where that is smaller."""

    @abstractmethod
    def losses(self, sequence: int, targets: Targets) -> Losses:
        """Return the cross-entropy of the first rows of a sequence, one for each target."""


@final
@dataclass(frozen=True)
class Formed(Logits):
    """Outputs that the model has formed already."""

    output: Float[Tensor, "sequence position channel"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the numbers of sequences, positions and channels."""
        sequences, positions, channels = self.output.shape
        return sequences, positions, channels

    def rows(self, sequence: int, start: int, stop: int) -> Rows:
        """Return some rows of a sequence."""
        return self.output[sequence, start:stop]

    def states(self, sequence: int) -> Rows:
        """Return the outputs of a sequence."""
        return self.output[sequence]

    def losses(self, sequence: int, targets: Targets) -> Losses:
        """Return the losses of a few rows at a time, since each needs as much room as its row."""
        few = max(1, READ_AT_ONCE // self.output.shape[2])
        return _in_pieces(_read, self.output[sequence], targets, few)


@final
@dataclass(frozen=True)
class OnRequest(Logits):
    """Hidden states, and the head that makes logits of them when they are asked for."""

    hidden: Float[Tensor, "sequence position width"]
    head: nn.Linear

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the numbers of sequences, positions and channels."""
        return self.hidden.shape[0], self.hidden.shape[1], self.head.weight.shape[0]

    def rows(self, sequence: int, start: int, stop: int) -> Rows:
        """Return some rows of a sequence."""
        return self.head(self.hidden[sequence, start:stop])

    def states(self, sequence: int) -> Rows:
        """Return the last hidden states of a sequence."""
        return self.hidden[sequence]

    def losses(self, sequence: int, targets: Targets) -> Losses:
        """Return the losses from tiles of logits that stay in the cache."""
        return _in_pieces(self._formed, self.hidden[sequence], targets, ROWS_AT_ONCE)

    def _formed(self, hidden: Hidden, targets: Targets) -> Losses:
        """Return the log of the sum of exp over the vocabulary, part by part, minus the target."""
        of_target = torch.zeros_like(accurate(hidden[:, 0]))
        most = min(VOCABULARY_AT_ONCE, self.shape[2])
        memory, log_sums = hidden.new_empty(len(hidden) * most), []
        for start in range(0, self.shape[2], most):
            logits = accurate(self._part(hidden, slice(start, start + most), memory))
            place = targets - start
            rows = ((place >= 0) & (place < logits.shape[1])).nonzero()[:, 0]
            of_target[rows] = logits[rows, place[rows]]
            top = logits.amax(dim=-1, keepdim=True).clamp_(min=torch.finfo(logits.dtype).min)
            log_sums.append(logits.sub_(top).exp_().sum(dim=-1).log_() + top[:, 0])
        return torch.stack(log_sums).logsumexp(dim=0) - of_target

    def _part(self, hidden: Hidden, part: slice, memory: Float[Tensor, "entry"]) -> Rows:
        """Return the logits of a part of the vocabulary in the memory given."""
        weight, bias = self.head.weight.detach()[part], self.head.bias
        logits = memory[: len(hidden) * len(weight)].view(len(hidden), -1)
        if bias is None:
            return torch.mm(hidden, weight.mT, out=logits)
        return torch.addmm(bias.detach()[part], hidden, weight.mT, out=logits)


def _in_pieces(
    losses: Callable[[Tensor, Targets], Losses], rows: Tensor, targets: Targets, few: int
) -> Losses:
    """Return the losses of the first rows, one for each target, a few at a time."""
    pieces = zip(rows[: len(targets)].split(few), targets.to(rows.device).split(few), strict=True)
    return torch.cat([losses(some, wanted) for some, wanted in pieces])


def _read(rows: Rows, targets: Targets) -> Losses:
    return cross_entropy(accurate(rows), targets, reduction="none")


def next_token_loss(
    logits: Logits,
    tokens: Int[Tensor, "sequence _"],
    lengths: Int[np.ndarray, "sequence"],
) -> Float[np.ndarray, "sequence position"]:
    """Return the loss of predicting each next token, NaN where there is none.

    `tokens` may hold one more than the model read, which the last position should predict. The
    loss is in float64 where the model is, and in float32 otherwise.
    """
    losses = {
        sequence: accurate(logits.losses(sequence, tokens[sequence, 1:length])).cpu().numpy()
        for sequence, length in enumerate(lengths)
        if length > 1
    }
    kinds = [each.dtype for each in losses.values()]
    found = np.full(logits.shape[:2], np.nan, dtype=np.result_type(np.float32, *kinds))
    for sequence, each in losses.items():
        found[sequence, : len(each)] = each
    return found
