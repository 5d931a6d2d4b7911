"""Which mixer serves which pair form, and how its operands are laid out per query head."""

from collections.abc import Collection
from dataclasses import fields
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.expert_mixer import ExpertMixer
from dva_lens.kernels.blocked.interacting import InteractingMixer
from dva_lens.kernels.blocked.mixers import Mixer
from dva_lens.kernels.blocked.pair_mixers import PairGatedMixer, PairMixer, PairwiseMixer
from dva_lens.kernels.blocked.relative import RelativeMixer
from dva_lens.kernels.interacting import Interacting
from dva_lens.kernels.values import (
    Experts,
    PairGated,
    Pairwise,
    Relative,
    Values,
    per_query_head,
)

PAIR_MIXERS: dict[type[Values], PairMixer | ExpertMixer] = {
    Pairwise: PairwiseMixer(),
    Interacting: InteractingMixer(),
    PairGated: PairGatedMixer(),
    Experts: ExpertMixer(),
}
MIXERS: dict[type[Values], Mixer] = {**PAIR_MIXERS, Relative: RelativeMixer()}


def mixer_of(values: Values) -> Mixer:
    """Return the mixer of a form that does not collapse.

    Raises
    ------
    TypeError
        No kernel mixes values of this type.
    """
    return MIXERS[_known(values, MIXERS)]


def pair_mixer_of(values: Values) -> PairMixer | ExpertMixer:
    """Return the mixer of a pair form, which can go through its values.

    Raises
    ------
    TypeError
        No kernel forms values of this type.
    """
    return PAIR_MIXERS[_known(values, PAIR_MIXERS)]


def _known(values: Values, table: Collection[type[Values]]) -> type[Values]:
    if type(values) not in table:
        known = ", ".join(form.__name__ for form in table)
        raise TypeError(
            f"No kernel mixes values of type {type(values).__name__}; there are kernels for "
            f"{known}, and collapsing forms need none."
        )
    return type(values)


def operands_of(values: Values, heads: int, dtype: torch.dtype) -> list[Tensor]:
    """Return the tensors that a mixer reads per query head, in the dtype to compute in."""
    names = [each.name for each in fields(values) if each.name not in values.places]  # type: ignore[arg-type]
    every = [cast("Tensor", getattr(values, name)) for name in names]
    return [as_heads(each, heads).to(dtype) for each in every]


def as_heads(
    grouped: Float[Tensor, "batch kv_head *rest"], heads: int
) -> Float[Tensor, "batch head *rest"]:
    """Repeat for the heads of a group, where there is anything to repeat."""
    return grouped if grouped.shape[1] == heads else per_query_head(grouped, heads)
