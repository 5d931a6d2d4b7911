"""Softmax whose weights fade with the distance between query and key."""

from math import log1p
from typing import Annotated, ClassVar, Literal, final

from jaxtyping import Int
from pydantic import Field
from torch import Tensor, nn

from dva_lens.kernels.decay import Decay
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.grid import Columns, check_one_image
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape
from dva_lens.validation import Number


@final
class DecayRule(AttentionRule, frozen=True):
    """Softmax weights fade with distance, and nothing makes up for it: rows sum to less.

    Every head has a rate of its own, which is not trained. The paper multiplies weights (its
    equation 3); its released code adds the logarithm to scores instead, where the softmax makes
    up for what is taken: `of="scores"`. Where tokens are the patches of an image row by row,
    `columns` says how many there are in a row, and distance is that of the paper, counted along
    rows and columns; a sequence then is one image.
    """

    formula: ClassVar[str] = (
        "A_ij = γ_h^|i−j| softmax_j(s_ij), γ_h = 1 − 2^(−first − span·h/H); with columns: "
        "γ_h^(|Δrow| + |Δcolumn|)"
    )
    source: ClassVar[str] = "RMT, Fan et al. 2024 (2309.11523); rates as in its released code"
    ours: ClassVar[str] = (
        "along the text where no columns are given, causal (row by row in an image), beside the "
        "model's positions; no decomposition along the two axes"
    )

    first: Annotated[Number, Field(gt=0, le=64)] = 2.0
    span: Annotated[Number, Field(ge=0, le=64)] = 4.0
    of: Literal["weights", "scores"] = "weights"
    columns: Columns = 0

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        rates = tuple(
            log1p(-(2.0 ** (-self.first - self.span * head / shape.heads)))
            for head in range(shape.heads)
        )
        return DecayRuleModule(shape, Decay(rates, self.of, self.columns))


@final
class DecayRuleModule(nn.Module):
    """Divide scores by the root of the width of queries and keys, less what distance takes."""

    def __init__(self, shape: Shape, decay: Decay) -> None:
        super().__init__()
        self.scale, self.decay = shape.qk_dim**-0.5, decay

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences.

        Raises
        ------
        ValueError
            Distance is that on a grid, and a sequence holds several texts.
        """
        if self.decay.columns:
            check_one_image(segments)
        return Rule(self.scale, decay=self.decay, segments=segments)
