"""What a layer of transformers asks for in the call of its attention function.

Scale, softcap, bias and learned sink are computed as they are asked for. What a layer may see its
mask says; only a layer without one says it in its call. What no kernel knows is refused.
"""

from typing import Any

from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.visibility import Visibility
from dva_lens.recording.adapters.interface import Heads, SharedHeads
from dva_lens.recording.adapters.masks import ModelMask
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import accurate

UNREADABLE = {
    "cu_seq_lens_q": "packing by cumulative lengths; pass position_ids that start again instead",
    "block_table": "a paged cache",
    "sinks": "a learned sink that each query weighs by itself",
}
PER_PAIR = ("position_bias", "indices")


def rule_of(
    module: nn.Module,
    query: Heads,
    call: dict[str, Any],
    visibility: Visibility | None,
    *,
    bias: float | Tensor,
) -> Rule:
    """Return how a module asks for its scores to be made into weights."""
    scale, causal, sink = (call.get(name) for name in ("scaling", "is_causal", "s_aux"))
    if visibility is None:
        causal = bool(getattr(module, "is_causal", True) if causal is None else causal)
        visibility = Visibility(causal=causal, window=call.get("sliding_window"))
    return Rule(
        scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
        causal=visibility.causal,
        window=visibility.window,
        mask=visibility.mask,
        softcap=call.get("softcap"),
        bias=bias,
        sink=None if sink is None else accurate(sink),
    )


def is_of_each_pair(mask: Tensor | ModelMask | None, call: dict[str, Any]) -> bool:
    """Say whether a call brings something for each pair, which later calls could not go on."""
    return isinstance(mask, Tensor) or any(call.get(name) is not None for name in PER_PAIR)


def bias_of(
    call: dict[str, Any], beside: Tensor | None, queries: Layout, keys: Layout
) -> float | Tensor:
    """Return what a module adds to its scores per pair of positions, 0 where that is nothing.

    `beside` is what its mask adds.
    """
    added = [each for each in (call.get("position_bias"), beside) if each is not None]
    added = [each for each in added if bool(each.any())]
    if not added:
        return 0.0
    return keys.unpad_keys(queries.unpad(sum(added[1:], start=added[0])))


def refuse_unreadable(module: nn.Module, call: dict[str, Any]) -> None:
    """Refuse a module that asks for what no kernel knows.

    Raises
    ------
    NotImplementedError
        It does.
    """
    for argument, meaning in UNREADABLE.items():
        if call.get(argument) is not None:
            raise NotImplementedError(
                f"{type(module).__name__} asks for {argument}, {meaning}; not supported."
            )


def refuse_other_keys(module: nn.Module, query: Heads, key: SharedHeads) -> None:
    """Refuse an attention of a text to more or fewer keys than it has tokens.

    Raises
    ------
    NotImplementedError
        It is one.
    """
    name = type(module).__name__
    if query.shape[2] != key.shape[2]:
        raise NotImplementedError(
            f"{name} has {query.shape[2]} queries for {key.shape[2]} keys (cross-attention, or "
            f"a cache that was filled before); only attention of a text to itself can be "
            f"recorded, from the first call on that fills a cache."
        )


def refuse_odd_masks(module: nn.Module, mask: Tensor | ModelMask | None) -> None:
    """Refuse a mask that is neither one of padding nor one of pairs.

    Raises
    ------
    NotImplementedError
        It is neither.
    """
    if isinstance(mask, Tensor) and mask.ndim not in (2, 4):
        raise NotImplementedError(
            f"{type(module).__name__} got a mask of shape {tuple(mask.shape)}; it must be "
            f"(batch, position) or (batch, head, query, key)."
        )
