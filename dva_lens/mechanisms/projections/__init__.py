"""How the weight of a linear map is parametrised."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.variant import Variant


@final
@dataclass(frozen=True)
class PlainProjection(Variant):
    """The weight is the parameter."""

    formula: ClassVar[str] = "y = W x + b"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one map."""
        return inner * outer + bias * outer

    def build(self, inner: int, outer: int, *, bias: bool) -> Any:
        """Return the module."""
        from torch import nn

        return nn.Linear(inner, outer, bias=bias)


@final
@dataclass(frozen=True)
class SigmaReparam(Variant):
    """The weight is divided by its largest singular value and scaled by a learned number.

    One power iteration per training forward tracks the singular vectors, without gradient; the
    gain starts at the singular value, so that training starts from the plain weight.
    """

    formula: ClassVar[str] = "Ŵ = (γ / σ(W)) W, σ by one power iteration per training step"
    source: ClassVar[str] = "Zhai et al. 2023 (2303.06296), eq. 3; start as in their PyTorch code"
    ours: ClassVar[str] = "applied to every linear map of every block, not to the embeddings"

    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one map."""
        return inner * outer + bias * outer + 1

    def build(self, inner: int, outer: int, *, bias: bool) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.projections.parts import SigmaLinear

        return SigmaLinear(inner, outer, bias=bias)


Projection = PlainProjection | SigmaReparam

PROJECTIONS: dict[str, type[Projection]] = {
    "plain": PlainProjection,
    "sigma-reparam": SigmaReparam,
}
