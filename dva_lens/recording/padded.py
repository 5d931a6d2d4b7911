"""Arrays of padded texts: which of their positions are real, as somebody says it."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.layout import Layout


def layout_of(
    mask: Any, lengths: Int[np.ndarray, "sequence"] | None, shape: tuple[int, int]
) -> Layout:
    """Return where texts stand in arrays of (sequence, position, ...).

    `mask` is True, or 1, where a position is real: one unbroken run per text, wherever it stands.
    `lengths` count the real positions of texts that start at the first. Without both, all are.

    Raises
    ------
    ValueError
        Both are given; the mask has another shape, gaps, or a text without any real position.
    """
    if mask is None:
        found = np.full(shape[0], shape[1]) if lengths is None else np.asarray(lengths)
        return Layout.plain(torch.as_tensor(found), shape[1])
    if lengths is not None:
        raise ValueError("Pass mask or lengths, not both; a mask says how long each text is.")
    real = torch.as_tensor(mask).bool().cpu()
    if tuple(real.shape) != shape:
        raise ValueError(
            f"mask must be (sequence, position) = {shape}, got shape {tuple(real.shape)}."
        )
    empty = (~real.any(dim=1)).nonzero()
    if len(empty):
        raise ValueError(f"Every text needs a real position; sequence {int(empty[0])} has none.")
    return Layout.of(real, None, shape)


def of_pairs(layout: Layout, pattern: Tensor) -> Tensor:
    """Return patterns of texts that start at position zero, without weight on padding."""
    if layout.is_plain:
        return pattern
    place = torch.arange(layout.longest, device=pattern.device)
    real = place < layout.lengths[:, None].to(place)
    moved = layout.unpad_keys(layout.unpad(pattern))
    return moved.masked_fill(~(real[:, None, :, None] & real[:, None, None]), 0.0)
