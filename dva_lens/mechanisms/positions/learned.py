"""A learned vector per position."""

from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.mechanisms.positions import Positions
from dva_lens.mechanisms.shape import Shape


@final
class Learned(Positions, frozen=True):
    """A learned vector per position is added to the embedding."""

    formula: ClassVar[str] = "x_i = E[t_i] + P[i]"
    source: ClassVar[str] = "GPT-2 (Radford et al. 2019)"
    tag: ClassVar[str] = "standard"

    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""
        return shape.context * shape.width

    def embedding(self, shape: Shape) -> nn.Module:
        """Return the module that gives each position its vector."""
        return LearnedModule(shape.context, shape.width)

    def rotation(self, shape: Shape) -> None:
        """Return nothing: queries and keys stay as they are."""
        del shape


@final
class LearnedModule(nn.Module):
    """A vector per position."""

    normal = ("weight",)

    def __init__(self, context: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(context, width))

    def forward(
        self, tokens: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position width"]:
        """Return the vectors of the positions that tokens stand at."""
        return self.weight[: tokens.shape[1]].expand(len(tokens), -1, -1)
