"""The linear map under spectral reparametrisation."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from dva_lens.mechanisms.projections import Projection


@final
class SigmaReparam(Projection, frozen=True):
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

    def build(self, inner: int, outer: int, *, bias: bool) -> nn.Module:
        """Return the module."""
        return SigmaReparamModule(inner, outer, bias=bias)


@final
class SigmaReparamModule(nn.Module):
    """A linear map whose spectral norm is a parameter."""

    normal = ("raw",)
    right: Tensor

    def __init__(self, inner: int, outer: int, *, bias: bool) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(outer, inner))
        self.gain = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(outer)) if bias else None
        self.register_buffer("right", torch.ones(inner) / inner**0.5)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set the gain to the spectral norm of the weight, found exactly."""
        _, values, right = torch.linalg.svd(self.raw.double(), full_matrices=False)
        self.right.copy_(right[0])
        self.gain.copy_(values[0])

    def _sigma(self) -> Float[Tensor, ""]:
        with torch.no_grad():
            left = normalize(self.raw @ self.right, dim=0)
            right = self.right
            if self.training:
                right = normalize(self.raw.T @ left, dim=0)
                self.right.copy_(right)
        return left @ self.raw @ right.clone()

    @property
    def weight(self) -> Float[Tensor, "outer inner"]:
        """Return the weight that is applied; reading it moves nothing."""
        with torch.no_grad():
            left = normalize(self.raw @ self.right, dim=0)
        return self.gain / (left @ self.raw @ self.right) * self.raw

    def forward(self, inputs: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch outer"]:
        """Return the map of the inputs, after a power iteration where training."""
        return linear(inputs, self.gain / self._sigma() * self.raw, self.bias)
