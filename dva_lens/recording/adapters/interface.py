"""The attention function that is plugged into transformers.

It goes in through transformers' own `AttentionInterface`, together with masks that are kept as
functions (`masks`). Whoever watches a model computes its attention.
"""

from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.masks import ModelMask, model_mask
from dva_lens.recording.adapters.projection import Returned
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import Recorder

NAME = "dva_lens"
Heads = Float[Tensor, "row head column width"]
SharedHeads = Float[Tensor, "row kv_head key width"]
SharedValues = Float[Tensor, "row kv_head key value_width"]


@runtime_checkable
class Watcher(Protocol):
    """What computes the attention of a watched model; `grams` outlast the pass."""

    recorder: Recorder
    anatomy: Anatomy
    grams: dict[nn.Module, Gram]
    returned: Returned | None

    def wrote_through(self, module: nn.Module) -> None:
        """Hear which module took what the last attention returned: its output projection."""
        ...

    def attention(
        self,
        module: nn.Module,
        heads: tuple[Heads, SharedHeads, SharedValues],
        mask: Tensor | ModelMask | None,
        call: dict[str, Any],
    ) -> Float[Tensor, "row column head value_width"]:
        """Compute one attention, called by a module with its queries, keys and values."""
        ...


STATES: "WeakKeyDictionary[nn.Module, Watcher]" = WeakKeyDictionary()


def _attention(
    module: nn.Module,
    query: Heads,
    key: SharedHeads,
    value: SharedValues,
    attention_mask: Tensor | ModelMask | None,
    **call: Any,
) -> tuple[Float[Tensor, "row column head value_width"], None]:
    """Compute one attention of a watched model; the signature is transformers'."""
    state = STATES.get(module)
    if state is None:
        raise RuntimeError(
            f"The attention {NAME!r} computes only for layers of a model inside "
            f"`recording.attach`; {type(module).__name__} is not one."
        )
    heads = _as_cast(query), _as_cast(key), _as_cast(value)
    return state.attention(module, heads, attention_mask, call), None


def _as_cast(tensor: Tensor) -> Tensor:
    """Return a tensor in the dtype in which autocast would have it attend."""
    kind = tensor.device.type
    if not torch.is_autocast_enabled(kind):
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, model_mask)
