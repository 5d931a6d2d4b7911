"""How close the recorded pass came to the model's own: stored with every figure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.recording.sizes import next_token_loss

KEPT_BYTES = 1 << 26
ANOTHER_MODEL = 0.1  # of the spread of its outputs, on average; bf16 stays below a tenth of that


@final
@dataclass(frozen=True)
class OwnPass:
    """What the model put out with its own attention: its last outputs, and its losses.

    Outputs are logits, or hidden states where a model has no logits; as many of the last
    positions are kept as fit in a stated number of bytes.
    """

    output: Float[Tensor, "sequence position channel"]
    loss: Float[np.ndarray, "sequence position"] | None

    @classmethod
    def of(
        cls,
        output: Float[Tensor, "sequence position channel"],
        tokens: Int[Tensor, "sequence position"] | None,
        lengths: Int[np.ndarray, "sequence"],
    ) -> "OwnPass":
        """Keep what the comparison needs; pass no tokens where a loss makes no sense."""
        loss = None if tokens is None else next_token_loss(output, tokens, lengths)
        return cls(_last(output).clone(), loss)

    def against(
        self,
        output: Float[Tensor, "sequence position channel"],
        loss: Float[np.ndarray, "sequence position"] | None,
        lengths: Int[np.ndarray, "sequence"],
    ) -> Mapping[str, float]:
        """Return the largest difference of outputs, and the difference of mean losses."""
        apart = (_last(output).float() - self.output.float()).abs()
        largest, mean = (each.cpu().numpy() for each in (apart.amax(dim=-1), apart.mean(dim=-1)))
        first = output.shape[1] - apart.shape[1]
        real = first + np.arange(apart.shape[1]) < lengths[:, None]
        if np.mean(mean, where=real) > ANOTHER_MODEL * float(self.output.float().std()):
            raise RuntimeError(
                f"With its attention recorded the model puts out something else (by up to "
                f"{np.max(largest, where=real, initial=0.0):.3g}); its own attention must mask or "
                f"weigh in a way that it does not tell, so it cannot be measured."
            )
        found = {"fidelity_output": float(np.max(largest, where=real, initial=0.0))}
        if loss is not None and self.loss is not None and np.isfinite(loss).any():
            found["fidelity_loss"] = abs(float(np.nanmean(loss) - np.nanmean(self.loss)))
        return found


def _last(output: Float[Tensor, "sequence position channel"]) -> Tensor:
    row = output.shape[0] * output.shape[2] * output.element_size()
    return output[:, -max(1, KEPT_BYTES // row) :].detach()


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
