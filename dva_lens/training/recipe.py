"""How a model is trained: a value that a study states once and applies to every model."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from math import cos, isfinite, pi
from typing import Any, final

import numpy as np


@final
@dataclass(frozen=True)
class Recipe:
    """Steps, batches and optimiser of one training.

    The optimiser's defaults are those of the ResFormer language models (Zhou et al., 2410.17897,
    82M recipe): AdamW, decay on matrices alone, warmup, then a cosine to a tenth of the rate.
    `batch` counts sequences and `length` the tokens of each that the model sees. `bf16` applies
    on CUDA alone. `eval_every` and `measurements` say when to look, not how to train.
    """

    steps: int
    batch: int
    length: int
    learning_rate: float = 6e-4
    final_learning_rate: float = 6e-5
    warmup: int = 120
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    clip: float = 1.0
    eval_every: int = 100
    measurements: int = 8
    seed: int = 0
    bf16: bool = True

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "length", "eval_every", "measurements"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("learning_rate", "final_learning_rate", "epsilon", "clip"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}.")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"warmup must be at least 0 and less than steps={self.steps}, got {self.warmup}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for JSON."""
        return {**asdict(self), "betas": list(self.betas)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Recipe":
        """Make a recipe of plain values; refuse unknown and missing keys by name."""
        known = [field.name for field in fields(Recipe)]
        needed = {field.name for field in fields(Recipe) if field.default is MISSING}
        unknown, missing = sorted(set(values) - set(known)), sorted(needed - set(values))
        if unknown:
            raise ValueError(
                f"A recipe has no {', '.join(map(repr, unknown))}; it has: {', '.join(known)}."
            )
        if missing:
            raise ValueError(f"A recipe needs {', '.join(map(repr, missing))}; add them.")
        return Recipe(**{**values, "betas": tuple(values.get("betas", Recipe.betas))})

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
