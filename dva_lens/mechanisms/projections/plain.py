"""The linear map as it is."""

from typing import ClassVar, final

from torch import nn

from dva_lens.mechanisms.projections import Projection


@final
class PlainProjection(Projection, frozen=True):
    """The weight is the parameter."""

    formula: ClassVar[str] = "y = W x + b"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one map."""
        return inner * outer + bias * outer

    def build(self, inner: int, outer: int, *, bias: bool) -> nn.Module:
        """Return the module."""
        return nn.Linear(inner, outer, bias=bias)
