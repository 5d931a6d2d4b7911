"""What the layers of a running pass may see, and how its texts are laid out."""

from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

from dva_lens.kernels.visibility import Visibility
from dva_lens.recording.adapters.model_mask import ModelMask, model_mask
from dva_lens.recording.layout import Layout
from dva_lens.recording.visibility import compare_rows, separates, visibility_of

__all__ = ["ModelMask", "PassState", "model_mask"]

AXES = 3
PLAIN = {
    causal_mask_function: Visibility(causal=True),
    bidirectional_mask_function: Visibility(causal=False),
}
Pairs = Float[Tensor, "row head query key"] | Bool[Tensor, "row head query key"]


@final
@dataclass
class PassState:
    """What the running forward pass was called with, and what was read off its masks.

    `given` is the mask of padding that the model was called with. `rows_compared` is
    how many rows of what was read off masks were held against the masks themselves.
    """

    positions: Int[Tensor, "_ column"] | None = None
    given: Tensor | None = None
    layout: Layout | None = None
    rows_compared: int = 0
    _padding: Tensor | None = None
    _known: dict[int, tuple[ModelMask, Visibility]] = field(default_factory=dict)

    def begin(self, positions: Tensor | None, given: Tensor | None = None) -> None:
        """Forget the pass before.

        Positions of images have several axes: where there are four, the first are those of the
        text; three say nothing of packing.
        """
        self.positions, self.given = _of_text(positions), given
        self.layout, self._padding = None, None
        self._known.clear()

    def before_attention(self, shape: tuple[int, int], device: torch.device) -> Layout:
        """Return the layout of a pass in which no layer has attended yet."""
        if self.layout is None:
            given = self.given
            fits = given is not None and given.shape == shape
            return self.of(given if fits else None, shape, device)[0]
        return self.layout

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
        RuntimeError
            What was read off a mask is not what the mask says.
        """
        if isinstance(mask, Tensor) and mask.ndim > 2:
            return self._of_pairs(mask, shape, device)
        padding = mask.padding if isinstance(mask, ModelMask) else mask
        if self.layout is None or self.layout.shape != shape or not _same(padding, self._padding):
            self._padding = padding
            self.layout = self._read(mask, padding, shape, device=device)
            self._known.clear()
        if not isinstance(mask, ModelMask):
            return self.layout, None
        if id(mask) not in self._known:
            found = _visibility(mask, self.layout)
            self.rows_compared += compare_rows(mask.seen, found, self.layout)
            self._known[id(mask)] = (mask, found)
        return self.layout, self._known[id(mask)][1]

    def _of_pairs(
        self, mask: Tensor, shape: tuple[int, int], device: torch.device
    ) -> tuple[Layout, Visibility]:
        """Return the layout of the pass, and what a mask with an entry for every pair allows.

        A position that nobody sees is padding where the pass did not say what is.
        """
        allowed = allowed_pairs(mask).expand(shape[0], shape[1], shape[1])
        if self.layout is None and self.given is None:
            self.of(allowed.any(dim=1), shape, device)
        layout = self.before_attention(shape, device)

        def seen(sequence: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return allowed[layout.in_batch(sequence, query, key)]

        return layout, visibility_of(seen, layout.lengths)

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


def picked(
    mask: Tensor | ModelMask | None, chosen: Int[Tensor, "row query pick"], keys: int
) -> Bool[Tensor, "row 1 query key"]:
    """Return the pairs of a mask whose keys are among those that each query has picked."""
    pairs = torch.zeros(*chosen.shape[:2], keys, dtype=torch.bool, device=chosen.device)
    pairs = pairs.scatter(-1, chosen.long(), value=True)[:, None]
    if mask is None:
        return pairs
    held = mask.pairs() if isinstance(mask, ModelMask) else mask
    return pairs & (held if held.dtype == torch.bool else allowed_pairs(held)[:, None])


def allowed_pairs(mask: Tensor) -> Bool[Tensor, "row query key"]:
    """Return which pairs a mask allows: those that are True, or not given the smallest number.

    Raises
    ------
    NotImplementedError
        Heads see different keys.
    """
    allowed = mask.bool()
    if mask.is_floating_point():
        allowed = mask > torch.finfo(mask.dtype).min / 2
    if not torch.equal(allowed, allowed[:, :1].expand_as(allowed)):
        raise NotImplementedError("A mask that differs between heads cannot be recorded.")
    return allowed[:, 0]


def added_by(mask: Tensor | ModelMask | None) -> Float[Tensor, "row head query key"] | None:
    """Return what a mask of pairs adds to the scores of those that it allows, None for nothing."""
    if not isinstance(mask, Tensor) or mask.ndim < 4 or not mask.is_floating_point():
        return None
    added = mask.masked_fill(mask <= torch.finfo(mask.dtype).min / 2, 0.0)
    return added if bool(added.any()) else None


def _of_text(positions: Tensor | None) -> Int[Tensor, "_ column"] | None:
    if positions is None or positions.ndim < AXES:
        return positions
    return positions[0] if len(positions) > AXES else None


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
