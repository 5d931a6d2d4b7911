"""Which mixer serves which pair form, and how its operands are laid out per query head."""

from dataclasses import fields
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.expert_mixer import ExpertMixer
from dva_lens.kernels.blocked.pair_mixers import PairGatedMixer, PairMixer, PairwiseMixer
from dva_lens.kernels.values import Experts, PairGated, Pairwise, Values, per_query_head

PAIR_MIXERS: dict[type[Values], PairMixer | ExpertMixer] = {
    Pairwise: PairwiseMixer(),
    PairGated: PairGatedMixer(),
    Experts: ExpertMixer(),
}


def mixer_of(values: Values) -> PairMixer | ExpertMixer:
    """Return the mixer of a pair form.

    Raises
    ------
    TypeError
        No kernel mixes values of this type.
    """
    if type(values) not in PAIR_MIXERS:
        known = ", ".join(form.__name__ for form in PAIR_MIXERS)
        raise TypeError(
            f"No kernel mixes values of type {type(values).__name__}; there are kernels for "
            f"{known}, and collapsing forms need none."
        )
    return PAIR_MIXERS[type(values)]


def operands_of(values: Values, heads: int, dtype: torch.dtype) -> list[Tensor]:
    """Return the tensors of a pair form per query head, in the dtype to compute in."""
    every = [cast("Tensor", getattr(values, each.name)) for each in fields(values)]  # type: ignore[arg-type]
    return [as_heads(each, heads).to(dtype) for each in every]


def as_heads(
    grouped: Float[Tensor, "batch kv_head *rest"], heads: int
) -> Float[Tensor, "batch head *rest"]:
    """Repeat for the heads of a group, where there is anything to repeat."""
    return grouped if grouped.shape[1] == heads else per_query_head(grouped, heads)
