"""How a model is trained: a value that a study states once and applies to every model."""

from math import cos, pi
from typing import Annotated, ClassVar, final

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dva_lens.validation import Number, Positive, Value, as_tuple

Share = Annotated[Number, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]
"""What every random generator takes."""
Steps = Annotated[int, Field(ge=1, le=10_000_000)]


@final
class Recipe(Value, frozen=True):
    """Steps, batches and optimiser of one training.

    The optimiser's defaults are those of the ResFormer language models (Zhou et al., 2410.17897,
    82M recipe): AdamW, decay on matrices alone, warmup, then a cosine to a tenth of the rate.
    `batch` counts sequences and `length` the tokens of each that the model sees. `bf16` applies
    on CUDA alone. `eval_every` and `measurements` say when to look, not how to train.

    Raises
    ------
    ValueError
        A field is missing, unknown, of another type or out of range; the message names it.
    """

    called: ClassVar[str] = "recipe"

    steps: Steps
    batch: Annotated[int, Field(ge=1, le=1 << 16)]
    length: Annotated[int, Field(ge=1, le=1 << 20)]
    learning_rate: Positive = 6e-4
    final_learning_rate: Positive = 6e-5
    warmup: Annotated[int, Field(ge=0)] = 120
    weight_decay: Annotated[Number, Field(ge=0)] = 0.1
    betas: Annotated[tuple[Share, Share], BeforeValidator(as_tuple)] = (0.9, 0.95)
    epsilon: Positive = 1e-8
    clip: Positive = 1.0
    eval_every: Steps = 100
    measurements: Annotated[int, Field(ge=1, le=10_000)] = 8
    seed: Seed = 0
    bf16: bool = True

    @model_validator(mode="after")
    def _warms_up_within_its_steps(self) -> "Recipe":
        if self.warmup >= self.steps:
            raise ValueError(f"warmup must be less than steps={self.steps}, got {self.warmup}.")
        return self

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: linear warmup, then a cosine."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - 1 - self.warmup, 1)
        fall = self.learning_rate - self.final_learning_rate
        return self.final_learning_rate + fall * (1 + cos(pi * done)) / 2

    @property
    def measure_steps(self) -> tuple[int, ...]:
        """Numbers of steps done at which the model is looked at: 0, then log-spaced to the end."""
        return measure_steps(self.steps, self.measurements)


def measure_steps(steps: int, count: int) -> tuple[int, ...]:
    """Return 0 and at most `count` log-spaced numbers of steps that end with `steps`."""
    spaced = np.geomspace(1, steps, count) if count > 1 else np.array([steps])
    return tuple(sorted({0, *(round(step) for step in spaced.tolist())}))
