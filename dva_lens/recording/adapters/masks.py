"""What the layers of a Hugging Face model may see, kept as the function that says so.

transformers asks a registered mask interface for the mask of each kind of layer. The one here
builds nothing of N x N entries: it hands the function itself on, and the attention function asks
it tile by tile.
"""

from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers.masking_utils import (
    bidirectional_mask_function,
    causal_mask_function,
    prepare_padding_mask,
)

from dva_lens.kernels.visibility import MaskFunction, Visibility
from dva_lens.recording.layout import Layout
from dva_lens.recording.visibility import separates, visibility_of

PLAIN = {
    causal_mask_function: Visibility(causal=True),
    bidirectional_mask_function: Visibility(causal=False),
}


@final
class ModelMask(BlockMask):
    """The mask of one kind of layer in one pass: its function, and the padding beside it.

    It is a BlockMask because transformers hands those from the model to its layers unchanged; it
    has no blocks. `padding` is True where a position is real, None where nothing said so.
    """

    ndim = 4

    def __init__(
        self,
        function: Any,
        sizes: tuple[int, int, int],
        offsets: tuple[int, int],
        padding: Bool[Tensor, "row column"] | None,
    ) -> None:
        self.function, self.sizes, self.offsets, self.padding = function, sizes, offsets, padding

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return the numbers of rows, heads (1: all see the same), queries and keys."""
        rows, queries, keys = self.sizes
        return rows, 1, queries, keys

    def contiguous(self) -> "ModelMask":
        """Return the mask, which has no memory to rearrange."""
        return self

    def to(self, *_: Any, **__: Any) -> "ModelMask":
        """Return the mask; its function answers on the device of the indices it is asked with."""
        return self

    def __getitem__(self, index: Any) -> "ModelMask":
        """Return the mask where the whole of it is asked for.

        Raises
        ------
        NotImplementedError
            The model asks for a part of its mask.
        """
        parts = index if isinstance(index, tuple) else (index,)
        whole = zip(parts, self.shape, strict=False)
        if all(part is Ellipsis or _is_whole(part, size) for part, size in whole):
            return self
        raise NotImplementedError(f"A model that takes the part {index} of a mask is not known.")

    def __repr__(self) -> str:
        return f"ModelMask(shape={self.shape})"

    __str__ = __repr__

    def of_sequences(self, layout: Layout) -> MaskFunction:
        """Return the function with sequences that start at position zero, as `layout` says."""
        before_queries, before_keys = self.offsets
        head = torch.zeros((), dtype=torch.long, device=layout.rows.device)
        last = layout.shape[1] - 1

        def mask(sequence: Tensor, query: Tensor, key: Tensor) -> Tensor:
            if not layout.is_plain:
                start = layout.starts[sequence]
                query, key = ((start + each).clamp(max=last) for each in (query, key))
                sequence = layout.rows[sequence]
            return self.function(sequence, head, query + before_queries, key + before_keys).bool()

        return mask


def _is_whole(part: Any, size: int) -> bool:
    return isinstance(part, slice) and part.indices(size) == (0, size, 1)


def model_mask(  # noqa: PLR0913  (the signature is transformers')
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Any = causal_mask_function,
    attention_mask: Tensor | None = None,
    **_: Any,
) -> ModelMask:
    """Keep what transformers would build a mask from."""
    padding = prepare_padding_mask(attention_mask, kv_length, kv_offset)
    if padding is not None:
        padding = padding[:, kv_offset : kv_offset + kv_length].bool()
    sizes = (batch_size, q_length, kv_length)
    return ModelMask(mask_function, sizes, (int(q_offset), int(kv_offset)), padding)


@final
@dataclass
class PassState:
    """What the running forward pass was called with, and what was read off its masks."""

    positions: Int[Tensor, "_ column"] | None = None
    layout: Layout | None = None
    _padding: Tensor | None = None
    _known: dict[int, tuple[ModelMask, Visibility]] = field(default_factory=dict)

    def begin(self, positions: Int[Tensor, "_ column"] | None) -> None:
        """Forget the pass before."""
        self.positions, self.layout, self._padding = positions, None, None
        self._known.clear()

    def of(
        self,
        mask: Tensor | ModelMask | None,
        shape: tuple[int, int],
        device: torch.device,
    ) -> tuple[Layout, Visibility | None]:
        """Return the layout of the pass, and what a layer with this mask may see.

        Layers share the layout where they share padding. Without a mask object the layer says by
        itself what it sees.

        Raises
        ------
        NotImplementedError
            One layer lets texts that another keeps apart see each other.
        """
        padding = mask.padding if isinstance(mask, ModelMask) else mask
        if self.layout is None or self.layout.shape != shape or not _same(padding, self._padding):
            self._padding = padding
            self.layout = self._read(mask, padding, shape, device=device)
            self._known.clear()
        if not isinstance(mask, ModelMask):
            return self.layout, None
        if id(mask) not in self._known:
            self._known[id(mask)] = (mask, _visibility(mask, self.layout))
        return self.layout, self._known[id(mask)][1]

    def _read(
        self,
        mask: Tensor | ModelMask | None,
        padding: Tensor | None,
        shape: tuple[int, int],
        *,
        device: torch.device,
    ) -> Layout:
        """Read the layout off padding and positions; texts that see each other are one text."""
        found = Layout.of(padding, self.positions, shape, device=device)
        if isinstance(mask, ModelMask) and not _keeps_apart(mask, found):
            return Layout.of(None, None, shape, device=device)
        return found


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one is other or torch.equal(one, other)


def _keeps_apart(mask: ModelMask, layout: Layout) -> bool:
    """Say whether texts that share a row of the batch see nothing of each other."""
    if len(layout.rows) == layout.shape[0]:
        return True
    lengths = torch.full((layout.shape[0],), layout.shape[1], device=layout.rows.device)
    rows = Layout.plain(lengths, layout.shape[1])
    return separates(mask.of_sequences(rows), layout)


def _visibility(mask: ModelMask, layout: Layout) -> Visibility:
    if not _keeps_apart(mask, layout):
        raise NotImplementedError(
            "Some layers of the model keep texts packed into one row apart and others let them "
            "see each other; pass one text per row."
        )
    if mask.offsets == (0, 0) and mask.function in PLAIN:
        return PLAIN[mask.function]
    return visibility_of(mask.of_sequences(layout), layout.lengths)
