"""Logits of a pass, formed at once or a few rows at a time from the last hidden states.

The logits of a long text take more memory than everything else of a pass together, and the loss
needs them one row at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from dva_lens.recording.sizes import accurate

FORMED_AT_ONCE, READ_AT_ONCE = 1 << 26, 1 << 20
Rows = Float[Tensor, "position channel"]


class Logits(ABC):
    """What a model puts out at each position: logits, or hidden states where it has none."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Return the numbers of sequences, positions and channels."""

    @abstractmethod
    def rows(self, sequence: int, start: int, stop: int) -> Rows:
        """Return some rows of a sequence."""


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


@final
@dataclass(frozen=True)
class OnRequest(Logits):
    """Hidden states, and the head that makes logits of them when they are asked for."""

    hidden: Float[Tensor, "sequence position width"]
    head: Callable[[Tensor], Tensor]
    vocabulary: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the numbers of sequences, positions and channels."""
        return self.hidden.shape[0], self.hidden.shape[1], self.vocabulary

    def rows(self, sequence: int, start: int, stop: int) -> Rows:
        """Return some rows of a sequence."""
        return self.head(self.hidden[sequence, start:stop])


def next_token_loss(
    logits: Logits,
    tokens: Int[Tensor, "sequence position"],
    lengths: Int[np.ndarray, "sequence"],
) -> Float[np.ndarray, "sequence position"]:
    """Return the loss of predicting each next token, a few rows of logits at a time."""
    sequences, positions, vocabulary = logits.shape
    found = np.full((sequences, positions), np.nan, dtype=np.float32)
    together = max(1, FORMED_AT_ONCE // vocabulary)
    for sequence, length in enumerate(lengths):
        for start in range(0, int(length) - 1, together):
            stop = min(start + together, int(length) - 1)
            rows = logits.rows(sequence, start, stop)
            targets = tokens[sequence, start + 1 : stop + 1].to(rows.device)
            found[sequence, start:stop] = _losses(rows, targets).cpu().numpy()
    return found


def _losses(rows: Rows, targets: Int[Tensor, "position"]) -> Float[Tensor, "position"]:
    """Read formed rows a few at a time: the loss needs as much room as the rows it reads."""
    few = max(1, READ_AT_ONCE // rows.shape[1])
    pairs = zip(rows.split(few), targets.split(few), strict=True)
    return torch.cat(
        [cross_entropy(accurate(some), few, reduction="none") for some, few in pairs]
    ).float()
