"""How close the recorded pass came to the model's own: stored with every figure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.recording.logits import Logits, next_token_loss

KEPT_ENTRIES = 1 << 23
ANOTHER_MODEL = 0.1  # of the spread of its outputs, on average; bf16 stays below a tenth of that


@final
@dataclass(frozen=True)
class OwnPass:
    """What the model put out with its own attention: its last outputs, and its losses.

    As many of the last positions are kept as fit in a stated number of bytes.
    """

    output: Float[Tensor, "sequence position channel"]
    loss: Float[np.ndarray, "sequence position"] | None

    @classmethod
    def of(
        cls,
        logits: Logits,
        tokens: Int[Tensor, "sequence position"] | None,
        lengths: Int[np.ndarray, "sequence"],
    ) -> "OwnPass":
        """Keep what the comparison needs; pass no tokens where a loss makes no sense."""
        loss = None if tokens is None else next_token_loss(logits, tokens, lengths)
        return cls(torch.stack(list(_last(logits))), loss)

    def against(
        self,
        logits: Logits,
        loss: Float[np.ndarray, "sequence position"] | None,
        lengths: Int[np.ndarray, "sequence"],
    ) -> Mapping[str, float]:
        """Return the largest difference of outputs, and the difference of mean losses.

        Raises
        ------
        RuntimeError
            The outputs differ by far more than rounding can explain.
        """
        pairs = zip(self.output, _last(logits), strict=True)
        gap = [(now.float() - before.float()).abs() for before, now in pairs]
        real = [
            each[: max(0, _kept(each, int(length), logits))]
            for each, length in zip(gap, lengths, strict=True)
        ]
        joined = torch.cat(real)
        largest, mean = (
            (float(joined.max()), float(joined.mean())) if joined.numel() else (0.0, 0.0)
        )
        if mean > ANOTHER_MODEL * float(self.output.float().std()):
            raise RuntimeError(
                f"With its attention recorded the model puts out something else (by up to "
                f"{largest:.3g}); its own attention must mask or weigh in a way that it does not "
                f"tell, so it cannot be measured."
            )
        found = {"fidelity_output": largest}
        if loss is not None and self.loss is not None and np.isfinite(loss).any():
            found["fidelity_loss"] = abs(float(np.nanmean(loss) - np.nanmean(self.loss)))
        return found


def _kept(rows: Tensor, length: int, logits: Logits) -> int:
    """Return how many of the last rows belong to a sequence of some length."""
    return max(0, length - (logits.shape[1] - len(rows)))


def _last(logits: Logits) -> Iterator[Float[Tensor, "position channel"]]:
    sequences, positions, channels = logits.shape
    rows = min(positions, max(1, KEPT_ENTRIES // (sequences * channels)))
    for sequence in range(sequences):
        yield logits.rows(sequence, positions - rows, positions).detach().clone()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout off, and put every module's mode back afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
