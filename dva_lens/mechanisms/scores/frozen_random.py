"""Scores that training does not move: random maps to queries and keys."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear as mapped

from dva_lens.mechanisms.scores import Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class FrozenRandom(Scores, frozen=True):
    """The maps to queries and keys are random and are not trained.

    They are drawn from the seed like every other weight and stand in checkpoints. Scores still
    depend on the text, and change while the stream that they read is trained.
    """

    formula: ClassVar[str] = "q_i = W_Q x_i, k_j = W_K x_j, W ~ N(0, 1/d) and held fixed"
    source: ClassVar[str] = (
        "Fu et al. 2023 (2307.11353), one layer; in every layer: Dong et al. 2025 (2506.01115)"
    )
    ours: ClassVar[str] = (
        "the deviation 1/sqrt(d), so that scores of a normalised stream vary by about one; no "
        "shift, and no other parametrisation of these maps"
    )

    trained: ClassVar[bool] = False

    def weights(self, shape: Shape, heads: int, linear: LinearCost) -> int:
        """Return none: nothing is trained."""
        del shape, heads, linear
        return 0

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> nn.Module:
        """Return the map."""
        del linear
        return FrozenLinear(shape.width, heads * shape.qk_dim)


@final
class FrozenLinear(nn.Module):
    """A linear map whose weight is a part of the model's state and no parameter."""

    normal = ("weight",)
    bias = None
    weight: Tensor

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(outer, inner))

    @torch.no_grad()
    def calibrate(self) -> None:
        """Give the weights drawn a root mean square of 1/sqrt(inner)."""
        size = self.weight.square().mean().sqrt()
        self.weight.mul_(self.weight.shape[1] ** -0.5 / size)

    def forward(self, inputs: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch outer"]:
        """Return the map of the inputs."""
        return mapped(inputs, self.weight)
