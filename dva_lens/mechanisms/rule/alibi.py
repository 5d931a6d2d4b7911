"""Softmax of scores that fall in proportion to distance."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.decay import Decay
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.rule.decay import DecayRuleModule
from dva_lens.mechanisms.shape import Shape


@final
class Alibi(AttentionRule, frozen=True):
    """Scores fall in proportion to distance, by a slope per head that is not trained.

    The softmax makes up for what is taken, so that rows sum to one.
    """

    formula: ClassVar[str] = "A_ij = softmax_j(s_ij − m_h |i−j|), m_h = 2^(−8 (h + 1) / H)"
    source: ClassVar[str] = "ALiBi, Press et al. 2022 (2108.12409), section 3"
    ours: ClassVar[str] = "the same formula where the number of heads is no power of two"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        rates = tuple(-(2.0 ** (-8.0 * (head + 1) / shape.heads)) for head in range(shape.heads))
        return DecayRuleModule(shape, Decay(rates, "scores"))
