"""The value sources: what a layer calls its own, and what it makes of it.

Each module says its own value (`own`) and turns it into the value used (`forward`), together with
the summands of that value by where they come from, and with what later layers are to be handed.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Value = Float[Tensor, "batch position kv_head width"]
Summands = dict[str, Tensor]


@final
@dataclass(frozen=True)
class First:
    """The first layer's values, and the shares in which later layers take them."""

    value: Value
    shares: Float[Tensor, "layer"] | None = None


class Source(nn.Module):
    """What every source does: it looks values up, or leaves them to the projection."""

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        carried: First | None,
    ) -> Value:
        """Return what the layer itself would attend to."""
        del tokens, carried
        if projected is None:
            raise RuntimeError("This layer has no value projection and no other source.")
        return projected


@final
class OwnValue(Source):
    """Use the own value and hand nothing on."""

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First | None]:
        """Return the value used, its summands, and what is carried on."""
        return own, {"own": own}, carried


@final
class PassFirst(Source):
    """Use the own value; in the first layer, hand it on."""

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First]:
        """Return the value used, its summands, and what is carried on."""
        return own, {"own": own}, First(own) if carried is None else carried


def _mixed(
    own: Value, carried: First | None, first_share: Tensor, own_share: Tensor
) -> tuple[Value, Summands, First]:
    if carried is None:
        raise RuntimeError("A mixing layer needs the values of the first layer.")
    parts = {
        "own": own_share.to(own.dtype) * own,
        "first": first_share.to(own.dtype) * carried.value,
    }
    return parts["own"] + parts["first"], parts, carried


@final
class FixedMix(Source):
    """Mix with fixed weights."""

    first_share: Tensor
    own_share: Tensor

    def __init__(self, first: float, own: float) -> None:
        super().__init__()
        self.register_buffer("first_share", torch.tensor(first), persistent=False)
        self.register_buffer("own_share", torch.tensor(own), persistent=False)

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First]:
        """Return the value used, its summands, and what is carried on."""
        return _mixed(own, carried, self.first_share, self.own_share)


@final
class LearnedMix(Source):
    """Mix with two learned weights."""

    def __init__(self, first: float, own: float) -> None:
        super().__init__()
        self.first_share = nn.Parameter(torch.tensor(first))
        self.own_share = nn.Parameter(torch.tensor(own))

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First]:
        """Return the value used, its summands, and what is carried on."""
        return _mixed(own, carried, self.first_share, self.own_share)


@final
class DepthShares(Source):
    """Use the own value, and hand on how much of it each later layer takes."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(layers - 1))
        self.scale = nn.Parameter(torch.tensor(float(layers)))

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First]:
        """Return the value used, its summands, and what is carried on."""
        del carried
        return own, {"own": own}, First(own, self.scale * torch.softmax(self.logits, dim=0))


@final
class SharedMix(Source):
    """Mix with a learned own weight, and with the share that the first layer allots."""

    def __init__(self, layer: int, own: float) -> None:
        super().__init__()
        self.layer = layer
        self.own_share = nn.Parameter(torch.tensor(own))

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First]:
        """Return the value used, its summands, and what is carried on."""
        if carried is None or carried.shares is None:
            raise RuntimeError("A mixing layer needs the shares that the first layer allots.")
        return _mixed(own, carried, carried.shares[self.layer - 1], self.own_share)


@final
class TakeFirst(Source):
    """Use the first layer's values."""

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        carried: First | None,
    ) -> Value:
        """Return the first layer's values."""
        del projected, tokens
        if carried is None:
            raise RuntimeError("This layer needs the values of the first layer.")
        return carried.value

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First | None]:
        """Return the value used, its summands, and what is carried on."""
        return own, {"first": own}, carried


@final
class Table(Source):
    """Look the value up by the token."""

    normal = ("weight",)

    def __init__(self, vocabulary: int, kv_heads: int, width: int) -> None:
        super().__init__()
        self.kv_heads = kv_heads
        self.weight = nn.Parameter(torch.zeros(vocabulary, kv_heads * width))

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        carried: First | None,
    ) -> Value:
        """Return the values of the tokens."""
        del projected, carried
        return nn.functional.embedding(tokens, self.weight).unflatten(-1, (self.kv_heads, -1))

    def forward(self, own: Value, carried: First | None) -> tuple[Value, Summands, First | None]:
        """Return the value used, its summands, and what is carried on."""
        return own, {"table": own}, carried
