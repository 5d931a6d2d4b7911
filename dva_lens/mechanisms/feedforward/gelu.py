"""The network of GPT-2."""

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.feedforward import Feedforward, Hidden
from dva_lens.mechanisms.feedforward.network import Network
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class GeluMlp(Feedforward, frozen=True):
    """One hidden layer under the tanh form of GELU.

    `hidden` of 0 is four times the width.
    """

    formula: ClassVar[str] = "W_out gelu(W_in x)"
    source: ClassVar[str] = "GPT-2 (Radford et al. 2019)"
    activation: ClassVar[str] = "gelu_new"

    hidden: Hidden = 0

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or 4 * shape.width

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        inner = self.inner(shape)
        return linear(shape.width, inner) + linear(inner, shape.width)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return two products and a nonlinearity."""
        del layer, keys
        return (4.0 * shape.width + 1) * self.inner(shape)

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        return GeluMlpModule(shape.width, self.inner(shape), linear)


Stream = Float[Tensor, "*batch width"]


@final
class GeluMlpModule(Network):
    """W_out gelu(W_in x), with TransformerLens's hooks."""

    def __init__(self, width: int, inner: int, linear: LinearFactory) -> None:
        super().__init__()
        self.up, self.down = linear(width, inner), linear(inner, width)
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, stream: Stream) -> Stream:
        """Return what the network writes."""
        hidden = gelu(self.hook_pre(self.up(stream)), approximate="tanh")
        return self.down(self.hook_post(hidden))
