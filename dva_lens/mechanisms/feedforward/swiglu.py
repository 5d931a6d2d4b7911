"""The gated network of LLaMA."""

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.feedforward import Feedforward, Hidden
from dva_lens.mechanisms.feedforward.network import Network, matrix
from dva_lens.mechanisms.gated import gated_flops, gated_parameters
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory

STEP = 8


@final
class SwiGlu(Feedforward, frozen=True):
    """A hidden layer whose channels are gated by another.

    `hidden` of 0 is 8/3 of the width, rounded up to a multiple of 8.
    """

    formula: ClassVar[str] = "W_d (silu(W_g x) ∘ W_u x)"
    source: ClassVar[str] = "Shazeer 2020 (2002.05202), as in LLaMA"
    activation: ClassVar[str] = "silu"

    hidden: Hidden = 0

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or -(-8 * shape.width // (3 * STEP)) * STEP

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        return gated_parameters(shape.width, self.inner(shape), linear)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return three products, a nonlinearity and a gate."""
        del layer, keys
        return gated_flops(shape.width, self.inner(shape))

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        return SwiGluModule(shape.width, self.inner(shape), linear)


Stream = Float[Tensor, "*batch width"]


@final
class SwiGluModule(Network):
    """W_d (silu(W_g x) ∘ W_u x), with TransformerLens's hooks."""

    def __init__(self, width: int, inner: int, linear: LinearFactory) -> None:
        super().__init__()
        self.gate, self.up = linear(width, inner), linear(width, inner)
        self.down = linear(inner, width)
        self.hook_pre, self.hook_pre_linear = HookPoint(), HookPoint()
        self.hook_post = HookPoint()

    def forward(self, stream: Stream) -> Stream:
        """Return what the network writes."""
        gate = silu(self.hook_pre(self.gate(stream)))
        return self.down(self.hook_post(gate * self.hook_pre_linear(self.up(stream))))

    @property
    def W_gate(self) -> Float[Tensor, "width inner"]:  # noqa: N802
        """Return W_g, input first."""
        return matrix(self.gate, "W_gate")
