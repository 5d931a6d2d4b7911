"""How close the recorded pass came to the model's own: stored with every figure."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.logits import Logits
from dva_lens.recording.norms import accurate
from dva_lens.recording.recorder import Recorder
from dva_lens.recording.rounding import rounding_of, rounding_of_stored
from dva_lens.records import Fact
from dva_lens.sites import SUMMARY

STRETCH = 48
"""Tokens of one text that the model runs over with its own attention."""

WITHIN_MODELS = torch.finfo(torch.float32).eps
"""Rounding of norms, routers and the eager softmax, which stay in float32 in models of float64."""

ROOM, LOOSEST = 1 << 12, 0.25
"""Units of rounding by which a row may differ, relative to its norm, and where that ends.

Two passes of two layers come within 2^4 units whatever the family, and rounding grows about with
depth. In half precision they would allow anything: there the attention of each layer is judged by
a limit of its own (`attention_rows`), and outputs are refused where most rows differ by more than
a quarter. A single row may, because rounding can choose another expert for it.
"""

ALWAYS = (
    "fidelity=False changes nothing: a pass is always compared with the model's own attention."
)


@final
@dataclass(frozen=True)
class OwnPass:
    """What a model puts out with its own attention, over a short stretch of what is measured.

    The stretch is the beginning of the first text of `STRETCH` tokens, else of the longest, or an
    image. `whole` says that there is no more of it, and `against` is the attention that ran.
    `adapter` is that of the model, reading what belongs to the stretch.
    """

    adapter: Adapter

    sequence: int
    stretch: Tensor
    lengths: Int[Tensor, "row"]
    row: int
    logits: Logits
    whole: bool
    against: str

    @classmethod
    def of(cls, adapter: Adapter, batch: Tensor, lengths: Int[Tensor, "sequence"]) -> "OwnPass":
        """Run the model over the stretch, each layer attending as it does without the recorder."""
        sequence = int(np.minimum(lengths.cpu().numpy(), STRETCH).argmax())
        if adapter.runs_whole:
            row, stretch, whole = sequence, batch, True
        elif batch.is_floating_point():
            sequence, row, stretch, whole = 0, 0, batch[:1], True
            lengths = lengths[:1]
        else:
            kept = lengths[sequence : sequence + 1].clamp(max=STRETCH)
            row, stretch = 0, batch[sequence : sequence + 1, : int(kept)]
            adapter, whole = adapter.of_row(sequence, STRETCH)
            lengths, whole = kept, whole and bool(lengths[sequence] == kept)
        with adapter.with_own_attention() as against:
            logits = adapter.forward(stretch, lengths)
        return cls(adapter, sequence, stretch, lengths, row, logits, whole, against)

    def compare(self, recorded: Logits, recorder: Recorder) -> dict[str, Fact]:
        """Compare a recorded pass over all texts; return what came out, and what was compared.

        Where what follows the stretch bears on it, because some layer looks ahead or positions
        are scaled by the length of a text, the stretch is recorded by itself; so it is where texts
        beside it do, because matrices round what they are given by the largest number in a batch.

        Raises
        ------
        RuntimeError
            A row is further away than rounding takes it, or the model draws random numbers.
        """
        adapter, length = self.adapter, self.logits.shape[1]
        if not self.stretch.is_floating_point():
            length = min(length, int(self.lengths[self.row]))
        ours = _Rows.of(recorded, self.sequence, length)
        own = _Rows.of(self.logits, self.row, length)
        stored = rounding_of_stored(adapter.model)
        eps = max(rounding_of(adapter.model), stored, WITHIN_MODELS)
        outside = own.outside(ours, eps)
        follows = not self.whole and (recorder.looks_ahead or bool(outside.any()))
        beside = stored > WITHIN_MODELS and recorded.shape[0] > len(self.stretch)
        if follows or beside:
            with adapter.attach((SUMMARY,), recorder.wanted):
                again = adapter.forward(self.stretch, self.lengths)
            ours = _Rows.of(again, self.row, length)
            outside = own.outside(ours, eps)
        if outside.any():
            self._refuse_chance(eps)
            first = int(outside.nonzero()[0, 0])
            raise RuntimeError(
                f"{ANOTHER_OUTPUT} at position {first} of text {self.sequence} "
                f"({int(outside.sum())} of {len(outside)} positions compared); {NOT_STATED}"
            )
        found: dict[str, Fact] = {"fidelity_output": own.largest_gap(ours)}
        if adapter.predicts_next_token and not self.stretch.is_floating_point():
            tokens = self.stretch[self.row, :length]
            found["fidelity_loss"] = abs(own.loss(tokens) - ours.loss(tokens))
        return {**found, "fidelity_tokens": len(outside), "fidelity_output_against": self.against}

    def _refuse_chance(self, eps: float) -> None:
        """Refuse a model that puts out something else whenever it runs, recorded or not."""
        with self.adapter.with_own_attention():
            again = self.adapter.forward(self.stretch, self.lengths)
        length = self.logits.shape[1]
        first, second = (_Rows.of(each, self.row, length) for each in (self.logits, again))
        if first.outside(second, eps).any():
            raise RuntimeError(
                "The model puts out something else each time it runs over the same input, also "
                "with its own attention; what is drawn at random cannot be measured."
            )


@final
@dataclass(frozen=True)
class _Rows:
    """The first outputs of a text, and the states that they are made of."""

    output: Float[Tensor, "position channel"]
    states: Float[Tensor, "position state"]

    @classmethod
    def of(cls, logits: Logits, sequence: int, length: int) -> "_Rows":
        return cls(
            accurate(logits.rows(sequence, 0, length)),
            accurate(logits.states(sequence)[:length]),
        )

    def outside(self, other: "_Rows", eps: float) -> Bool[Tensor, "position"]:
        """Say which rows of another pass are further away than rounding takes them."""
        gap = torch.where(other.states == self.states, 0.0, other.states - self.states)
        allowed = min(ROOM * eps, LOOSEST)
        outside = ~(gap.norm(dim=-1) <= allowed * self.states.norm(dim=-1))
        few = allowed == LOOSEST and 2 * int(outside.sum()) <= len(outside)
        return outside & ~gap.isfinite().all(dim=-1) if few else outside

    def largest_gap(self, other: "_Rows") -> float:
        """Return how far apart two outputs are at most."""
        gap = torch.where(other.output == self.output, 0.0, other.output - self.output)
        return float(gap.abs().max())

    def loss(self, tokens: Int[Tensor, "position"]) -> float:
        """Return the mean loss of predicting each token from those before it."""
        return float(cross_entropy(self.output[:-1], tokens[1:]))


def say_always() -> None:
    """Say that a comparison which somebody wants to leave out takes place all the same."""
    warnings.warn(ALWAYS, UserWarning, stacklevel=3)


ANOTHER_OUTPUT = "With its attention recorded the model puts out something else"
NOT_STATED = (
    "its own attention must mask or weigh in a way that it does not state, so it cannot be "
    "measured."
)


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
