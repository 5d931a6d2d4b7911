"""The feed-forward networks, with TransformerLens's hooks and weight names."""

from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, silu
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.variant import LinearFactory

Stream = Float[Tensor, "*batch width"]


class Network(nn.Module):
    """The names by which TransformerLens knows the maps that both networks have."""

    up: Any
    down: Any

    @property
    def W_in(self) -> Float[Tensor, "width inner"]:  # noqa: N802
        """Return the map into the hidden layer, input first."""
        return self.up.weight.T

    @property
    def W_out(self) -> Float[Tensor, "inner width"]:  # noqa: N802
        """Return the map out of it, input first."""
        return self.down.weight.T

    @property
    def b_out(self) -> Float[Tensor, "width"] | None:
        """Return the shift of the output, if there is one."""
        return self.down.bias


@final
class Gated(Network):
    """W_d (silu(W_g x) ∘ W_u x)."""

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
        return self.gate.weight.T


@final
class Plain(Network):
    """W_out gelu(W_in x), with the tanh form of GELU."""

    def __init__(self, width: int, inner: int, linear: LinearFactory) -> None:
        super().__init__()
        self.up, self.down = linear(width, inner), linear(inner, width)
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, stream: Stream) -> Stream:
        """Return what the network writes."""
        hidden = gelu(self.hook_pre(self.up(stream)), approximate="tanh")
        return self.down(self.hook_post(hidden))
