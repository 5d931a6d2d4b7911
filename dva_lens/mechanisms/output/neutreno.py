"""NeuTRENO: a skip around the attention, from the first layer's values to the output."""

from collections.abc import Callable
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.mechanisms.output import Output
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory
from dva_lens.validation import Number


@final
class Neutreno(Output, frozen=True):
    """A skip from the first layer's values to the output, from the second layer on.

    The skip does not go through the attention: it is λ times what the query's own position has
    in the first layer more than here.
    """

    formula: ClassVar[str] = "o_n = A_n V_n + λ (V_1 − V_n), n ≥ 2"
    source: ClassVar[str] = "Nguyen et al. 2023 (2312.00751); λ = 0.4 for language models"
    ours: ClassVar[str] = "V is the value after a mix and before a value form"

    strength: Number = 0.4

    def check(self, shape: Shape) -> None:
        """Refuse keys that offer several values.

        Raises
        ------
        ValueError
            The static value of a key holds more than one vector.
        """
        if shape.value_parts > 1:
            raise ValueError(
                f"neutreno adds one value to one output, got a value form of "
                f"{shape.value_parts} values per key; use another form or output."
            )

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a difference, a product and a sum per channel."""
        del keys
        return 3.0 * shape.heads * shape.value_dim if layer else 0.0

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        del linear
        return NeutrenoModule(self.strength, shape.heads // shape.kv_heads, first=layer == 0)


Attended = Float[Tensor, "batch position head width"]
Used = Float[Tensor, "batch position kv_head used"]


@final
class NeutrenoModule(nn.Module):
    """Add λ (V_1 − V_n), each query head with the values of its group."""

    strength: Tensor

    def __init__(self, strength: float, heads_per_group: int, *, first: bool) -> None:
        super().__init__()
        self.group, self.first = heads_per_group, first
        self.register_buffer("strength", torch.tensor(float(strength)), persistent=False)

    def forward(
        self,
        attended: Attended,
        project: Callable[[nn.Module], Tensor],
        value: Used,
        state: Used | None,
    ) -> tuple[Attended, Used]:
        """Return the output, and the first layer's values for the layers to come."""
        del project
        if self.first or state is None:
            return attended, value
        skip = (state - value).repeat_interleave(self.group, dim=2)
        return attended + self.strength.to(skip.dtype) * skip, state
