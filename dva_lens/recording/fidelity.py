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
from dva_lens.recording.norms import accurate

KEPT_ENTRIES = 1 << 23
ANOTHER_MODEL = 0.1  # of the spread of its outputs, on average; bf16 stays below a tenth of that
ROOM = 1 << 12
"""Units of rounding by which a row may differ, relative to its norm.

Two passes of two layers come within 2^4 whatever the family, and rounding grows about with depth.
"""


@final
@dataclass(frozen=True)
class OwnPass:
    """What the model put out with its own attention: its outputs, and its losses.

    Outputs are the last of each text, as many as fit in a stated number of bytes. States are what
    every position ended in, in channels at even distances where all of them are too many.
    """

    output: Float[Tensor, "sequence position channel"]
    states: Float[Tensor, "sequence place chosen"]
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
        states = torch.stack([each.clone() for each in _states(logits)])
        return cls(torch.stack(list(_last(logits))), states, loss)

    def against(
        self,
        logits: Logits,
        loss: Float[np.ndarray, "sequence position"] | None,
        lengths: Int[np.ndarray, "sequence"],
        *,
        eps: float,
    ) -> Mapping[str, float]:
        """Return the largest difference of outputs, and the difference of mean losses.

        `eps` is the rounding of the model (`rounding_of`), which each row is judged by.

        Raises
        ------
        RuntimeError
            A row, or the mean over all of them, is further away than rounding takes it.
        """
        pairs = zip(self.output, _last(logits), strict=True)
        gap = [(accurate(now) - accurate(before)).abs() for before, now in pairs]
        real = [
            each[: max(0, _kept(each, int(length), logits))]
            for each, length in zip(gap, lengths, strict=True)
        ]
        joined = torch.cat(real)
        largest, mean = (
            (float(joined.max()), float(joined.mean())) if joined.numel() else (0.0, 0.0)
        )
        self._judge_rows(logits, lengths, eps)
        if mean > ANOTHER_MODEL * float(self.output.float().std()):
            raise RuntimeError(f"{ANOTHER_OUTPUT} (by up to {largest:.3g}); {NOT_STATED}")
        found = {"fidelity_output": largest}
        if loss is not None and self.loss is not None and np.isfinite(loss).any():
            found["fidelity_loss"] = abs(float(np.nanmean(loss) - np.nanmean(self.loss)))
        return found

    def _judge_rows(
        self, logits: Logits, lengths: Int[np.ndarray, "sequence"], eps: float
    ) -> None:
        """Refuse a pass in which any position of any text ended elsewhere."""
        for sequence, (before, now) in enumerate(zip(self.states, _states(logits), strict=True)):
            before, now = (accurate(each[: int(lengths[sequence])]) for each in (before, now))
            gap = torch.where(now == before, 0.0, now - before).norm(dim=-1)
            outside = ~(gap <= ROOM * eps * before.norm(dim=-1))
            if outside.any():
                first = int(outside.nonzero()[0, 0])
                raise RuntimeError(
                    f"{ANOTHER_OUTPUT} at position {first} of text {sequence} "
                    f"({int(outside.sum())} of {len(outside)} positions); {NOT_STATED}"
                )


ANOTHER_OUTPUT = "With its attention recorded the model puts out something else"
NOT_STATED = (
    "its own attention must mask or weigh in a way that it does not state, so it cannot be "
    "measured."
)
MATMUL_ROUNDING = {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}


def rounding_of(model: nn.Module) -> float:
    """Return the unit of rounding of the coarsest numbers that a model computes with."""
    parameters = [each for each in model.parameters() if each.is_floating_point()]
    found = max((torch.finfo(each.dtype).eps for each in parameters), default=0.0)
    device = parameters[0].device.type if parameters else "cpu"
    if torch.is_autocast_enabled(device):
        found = max(found, torch.finfo(torch.get_autocast_dtype(device)).eps)
    if any(each.dtype == torch.float32 for each in parameters):
        found = max(found, MATMUL_ROUNDING[torch.get_float32_matmul_precision()])
    return found


def _states(logits: Logits) -> Iterator[Float[Tensor, "position chosen"]]:
    sequences, positions, _ = logits.shape
    for sequence in range(sequences):
        states = logits.states(sequence).detach()
        channels = max(1, KEPT_ENTRIES // (sequences * positions))
        yield states[:, :: max(1, -(-states.shape[-1] // channels))]


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
    """Switch dropout, autocast and compiled code off, and put all back afterwards.

    A model is measured in the dtype of its weights, from the code that it was written in.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    device = next((each.device.type for each in model.parameters()), "cpu")
    try:
        with torch.autocast(device, enabled=False), as_written(model):
            yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def as_written(model: nn.Module) -> Iterator[None]:
    """Run modules that were compiled in place as they were written, with their hooks."""
    compiled = {
        module: module._compiled_call_impl
        for module in model.modules()
        if module._compiled_call_impl is not None
    }
    try:
        for module in compiled:
            module._compiled_call_impl = None
        yield
    finally:
        for module, call in compiled.items():
            module._compiled_call_impl = call
