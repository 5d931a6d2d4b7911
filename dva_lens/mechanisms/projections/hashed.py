"""Look-up tables in the place of linear maps: the signs of a few channels choose a row."""

from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad, rms_norm, softplus

from dva_lens.mechanisms.projections import Projection
from dva_lens.validation import Positive

EPSILON = 1e-5


@final
class HashedProjection(Projection, frozen=True):
    """The signs of the channels, a few at a time, choose rows of tables, which are added up.

    A chunk z of `bits` channels chooses one of 2^bits rows. The confidence p of the choice
    multiplies the row and is what gradients reach the input through: the choice itself has none,
    and an output jumps where a channel changes its sign while others are far from zero. No weight
    multiplies the input, so nothing that reads one applies; what heads write to the stream stays
    a linear map of the output projection.
    """

    formula: ClassVar[str] = (
        "y = Σ_c p(z_c) T_c[b(z_c)] + β, bits b: z ≥ 0, p(z) = Π_k 1 / (1 + e^(−2|z_k| / t))"
    )
    source: ClassVar[str] = (
        "MemoryFormer, Ding et al. 2024 (2411.12992); p as its released code gives the paper's, "
        "which itself multiplies p by Σ|z_k|; tables start as there"
    )
    ours: ClassVar[str] = (
        "every linear map of every block but the output projection of attention, which the "
        "paper's code leaves out altogether and which stays a matrix here, so that what a head "
        "writes is known; each look-up first divides its input by its root mean square, where "
        "the paper has a norm ahead of each; feed-forward networks keep their nonlinearity, where "
        "the paper chains two look-ups; the last chunk holds the channels that are left over"
    )
    is_matrix: ClassVar[bool] = False

    bits: Annotated[int, Field(ge=1, le=16)] = 8
    temperature: Positive = 1.0

    def rows(self, inner: int) -> list[int]:
        """Return how many rows the table of each chunk has."""
        whole, rest = divmod(inner, self.bits)
        return [1 << self.bits] * whole + [1 << rest] * bool(rest)

    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one look-up."""
        return (sum(self.rows(inner)) + bias) * outer

    def operations(self, inner: int, outer: int) -> int:
        """Return what chooses and what weighs: five per channel, and two per row and output."""
        return 5 * inner + 2 * len(self.rows(inner)) * outer

    def build(self, inner: int, outer: int, *, bias: bool) -> nn.Module:
        """Return the module."""
        return HashedModule(self, inner, outer, bias=bias)


@final
class HashedModule(nn.Module):
    """The tables of one look-up, one after the other."""

    normal = ("tables",)
    first: Tensor
    digits: Tensor

    def __init__(self, kind: HashedProjection, inner: int, outer: int, *, bias: bool) -> None:
        super().__init__()
        rows = torch.tensor(kind.rows(inner))
        self.bits, self.temperature = kind.bits, kind.temperature
        self.tables = nn.Parameter(torch.zeros(int(rows.sum()), outer))
        self.bias = nn.Parameter(torch.zeros(outer)) if bias else None
        self.register_buffer("first", rows.cumsum(0) - rows, persistent=False)
        self.register_buffer("digits", 1 << torch.arange(kind.bits), persistent=False)

    def forward(self, inputs: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch outer"]:
        """Return the sum of the rows that the inputs choose."""
        chunks = self._chunks(inputs.flatten(0, -2))
        added = embedding_bag(
            self.first + ((chunks >= 0) * self.digits).sum(-1),
            self.tables,
            mode="sum",
            per_sample_weights=self._confidence(chunks).to(self.tables.dtype),
        ).unflatten(0, inputs.shape[:-1])
        return added if self.bias is None else added + self.bias

    def _chunks(self, inputs: Float[Tensor, "some inner"]) -> Float[Tensor, "some chunk bit"]:
        """Return the inputs over their root mean square, in chunks.

        A channel that the last chunk lacks is far below zero: its bit is 0, and beyond doubt.
        """
        wide = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        wide = rms_norm(wide, wide.shape[-1:], eps=EPSILON)
        lacking = -wide.shape[-1] % self.bits
        if lacking:
            wide = pad(wide, (0, lacking), value=-torch.inf)
        return wide.unflatten(-1, (-1, self.bits))

    def _confidence(self, chunks: Float[Tensor, "some chunk bit"]) -> Float[Tensor, "some chunk"]:
        """Return p, the share of the chosen row in a softmax over all rows of its table."""
        return softplus(chunks.abs() * (-2 / self.temperature)).sum(-1).neg().exp()
