"""The mask of one kind of layer, kept as the function that says who sees whom.

transformers asks a registered mask interface for the mask of each kind of layer. The one here
builds nothing of N x N entries: it hands the function itself on, and the attention function asks
it tile by tile. Only a model that works on the entries of its mask itself gets them.
"""

from typing import Any, final

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers.masking_utils import causal_mask_function, prepare_padding_mask

from dva_lens.kernels.guard import refuse_above
from dva_lens.kernels.visibility import MaskFunction
from dva_lens.recording.layout import Layout


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

    @property
    def dtype(self) -> torch.dtype:
        """Return what the mask answers in."""
        return torch.bool

    @property
    def device(self) -> torch.device:
        """Return where the padding is; the function answers on the device of its indices."""
        return torch.device("cpu") if self.padding is None else self.padding.device

    def contiguous(self) -> "ModelMask":
        """Return the mask, which has no memory to rearrange."""
        return self

    def to(self, *_: Any, **__: Any) -> "ModelMask":
        """Return the mask; its function answers on the device of the indices it is asked with."""
        return self

    def __getitem__(self, index: Any) -> Any:
        """Return the mask where the whole of it is asked for, and its pairs elsewhere."""
        parts = index if isinstance(index, tuple) else (index,)
        whole = zip(parts, self.shape, strict=False)
        if all(part is Ellipsis or _is_whole(part, size) for part, size in whole):
            return self
        return self.pairs()[index]

    def __and__(self, other: Tensor) -> Tensor:
        """Return the pairs that both allow, as a model asks for that chooses keys by content."""
        return self.pairs() & other

    __rand__ = __and__

    def __add__(self, scores: Tensor) -> Tensor:
        """Return scores with the smallest number in place of those that the mask hides."""
        return scores.masked_fill(~self.pairs(), torch.finfo(scores.dtype).min)

    __radd__ = __add__

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do what is done to a tensor with a mask: it is added, asked for pairs, or joined.

        Masks are joined by models whose queries read two texts at once.

        Raises
        ------
        NotImplementedError
            Something else is to be done with a mask.
        """
        del types
        if func in OPERATORS:
            tensor, mask = args
            return OPERATORS[func](mask, tensor)
        if func not in JOINING:
            raise NotImplementedError(
                f"A model computes {getattr(func, '__name__', func)} of its mask, which is kept "
                f"as a function; such a model cannot be recorded."
            )
        masks = [each.pairs() if isinstance(each, cls) else each for each in args[0]]
        return func(masks, *args[1:], **(kwargs or {}))

    def pairs(self) -> Bool[Tensor, "row 1 query key"]:
        """Return the mask with an entry for every pair, as the model itself would form it.

        Raises
        ------
        MemoryError
            The entries exceed the budget.
        """
        rows, queries, keys = self.sizes
        refuse_above(
            rows * queries * keys,
            f"A mask with an entry for every pair of {queries} queries and {keys} keys",
            alternative="pass a shorter text; the model works on such a mask itself",
        )
        row, query, key = (torch.arange(size, device=self.device) for size in self.sizes)
        seen = self._asked(row[:, None, None], query[:, None], key).expand(rows, queries, keys)
        seen = seen if self.padding is None else seen & self.padding[:, None]
        return seen[:, None]

    def __repr__(self) -> str:
        return f"ModelMask(shape={self.shape})"

    __str__ = __repr__

    def seen(
        self, row: int, queries: Int[Tensor, "query"], keys: Int[Tensor, "key"]
    ) -> Bool[Tensor, "query key"]:
        """Say which keys of a row of the batch its queries see, padding left out."""
        which = torch.tensor(row, device=queries.device)
        found = self._asked(which, queries[:, None], keys).expand(len(queries), len(keys))
        return found if self.padding is None else found & self.padding[row, keys]

    def of_sequences(self, layout: Layout) -> MaskFunction:
        """Return the function with sequences that start at position zero, as `layout` says."""

        def mask(sequence: Tensor, query: Tensor, key: Tensor) -> Tensor:
            if layout.is_plain:
                return self._asked(sequence, query, key)
            return self._asked(*layout.in_batch(sequence, query, key))

        return mask

    def _asked(self, row: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """Ask the function about keys of a row, counted from where the mask starts."""
        before_queries, before_keys = self.offsets
        head = torch.zeros((), dtype=torch.long, device=query.device)
        return self.function(row, head, query + before_queries, key + before_keys).bool()


OPERATORS = {
    **dict.fromkeys((torch.add, Tensor.add, Tensor.__add__), ModelMask.__add__),
    **dict.fromkeys((torch.bitwise_and, Tensor.__and__), ModelMask.__and__),
}
JOINING = (torch.cat, torch.concat, torch.concatenate)


def _is_whole(part: Any, size: int) -> bool:
    return isinstance(part, slice) and part.indices(size) == (0, size, 1)


def model_mask(  # noqa: PLR0913  (the signature is transformers')
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int | Tensor = 0,
    kv_offset: int | Tensor = 0,
    mask_function: Any = causal_mask_function,
    attention_mask: Tensor | None = None,
    **_: Any,
) -> ModelMask:
    """Keep what transformers would build a mask from."""
    kv_offset = int(kv_offset)
    padding = prepare_padding_mask(attention_mask, kv_length, kv_offset)
    if padding is not None:
        padding = padding[:, kv_offset : kv_offset + kv_length].bool()
    sizes = (batch_size, q_length, kv_length)
    return ModelMask(mask_function, sizes, (int(q_offset), kv_offset), padding)
