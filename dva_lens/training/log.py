"""What a training reports: while it runs, and when it is done."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int


@final
@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands, for whoever draws it."""

    step: int
    steps: int
    loss: float
    seconds_left: float


@final
@dataclass(frozen=True)
class TrainingLog:
    """One entry per step, counted from 1.

    `loss` is that of the step's batch before its update, in nats per token; `held_out_loss` is
    taken after the update and NaN at steps without evaluation. `seconds` is time spent training
    since the start, measuring left out; `tokens` is how many were seen.
    """

    step: Int[np.ndarray, "train_step"]
    loss: Float[np.ndarray, "train_step"]
    held_out_loss: Float[np.ndarray, "train_step"]
    seconds: Float[np.ndarray, "train_step"]
    tokens: Int[np.ndarray, "train_step"]

    @property
    def final_loss(self) -> float:
        """The last held-out loss, or the last training loss where nothing was held out."""
        held_out = self.held_out_loss[~np.isnan(self.held_out_loss)]
        return float(held_out[-1] if len(held_out) else self.loss[-1])

    @property
    def total_seconds(self) -> float:
        """Seconds spent training."""
        return float(self.seconds[-1])
