"""Which activations a cache keeps, and at which positions where they have an axis of heads."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.utilities.slice import Slice

Names = Callable[[str], bool] | Sequence[str] | str | None
PER_HEAD = (
    "hook_rot_q",
    "hook_rot_k",
    "hook_attn_in",
    "hook_q_input",
    "hook_k_input",
    "hook_v_input",
)


def wanted(names_filter: Names) -> Callable[[str], bool]:
    """Return whether a name is wanted, as a function."""
    if names_filter is None:
        return bool
    if isinstance(names_filter, str):
        return lambda name: name == names_filter
    if callable(names_filter):
        return names_filter
    names = set(names_filter)
    return lambda name: name in names


def then_slice(
    save: Callable[..., None],
    unsliced: dict[str, Tensor],
    cache: dict[str, Tensor],
    pos_slice: Any,
) -> Callable[..., None]:
    """Return a hook that saves a tensor of heads, and keeps the wanted positions of it."""

    def hook(tensor: Tensor, hook: HookPoint) -> None:
        save(tensor, hook=hook)
        for name in list(unsliced):
            cache[name] = Slice.unwrap(pos_slice).apply(unsliced.pop(name), dim=-3)

    return hook
