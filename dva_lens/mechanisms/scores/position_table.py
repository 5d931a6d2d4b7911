"""A vector per position and head, the same for every text."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.mechanisms.shape import Shape


@final
class PositionTable(nn.Module):
    """The queries, or the keys, of all positions: trained, or random vectors held fixed.

    A table that is not trained is a part of the model's state and no parameter; its vectors have
    the length sqrt(width), so that the scores of two such tables vary by about one.
    """

    normal = ("weight",)
    weight: Tensor

    def __init__(self, shape: Shape, heads: int, *, trained: bool) -> None:
        super().__init__()
        start = torch.zeros(shape.context, heads, shape.qk_dim)
        self.trained = trained
        if trained:
            self.weight = nn.Parameter(start)
        else:
            self.register_buffer("weight", start)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Give the vectors of a fixed table their length."""
        if not self.trained:
            length = self.weight.norm(dim=-1, keepdim=True)
            self.weight.mul_(self.weight.shape[-1] ** 0.5 / length)

    def forward(
        self, inputs: Float[Tensor, "batch position *head width"]
    ) -> Float[Tensor, "batch position head qk"]:
        """Return the vectors of the positions that inputs stand at, whatever the inputs are."""
        return self.weight[: inputs.shape[1]].expand(len(inputs), -1, -1, -1)
