"""Where the positions of each sequence stand in a batch: padded on either side, or packed.

Everything that is recorded is recorded of sequences that start at position zero. A batch that is
laid out otherwise is taken apart before the attention is summarised, and put back together after.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Mask = Bool[Tensor, "row column"] | Int[Tensor, "row column"]


@final
@dataclass(frozen=True)
class Layout:
    """Sequence s is `lengths[s]` positions of row `rows[s]`, from `starts[s]` on."""

    shape: tuple[int, int]
    rows: Int[Tensor, "sequence"]
    starts: Int[Tensor, "sequence"]
    lengths: Int[Tensor, "sequence"]

    @classmethod
    def plain(cls, lengths: Int[Tensor, "row"], columns: int) -> "Layout":
        """Return one sequence per row, padded on the right."""
        rows = torch.arange(len(lengths), device=lengths.device)
        return cls((len(lengths), columns), rows, torch.zeros_like(rows), lengths)

    @classmethod
    def of(
        cls,
        mask: Mask | None,
        positions: Int[Tensor, "_ column"] | None,
        shape: tuple[int, int],
        *,
        device: torch.device | None = None,
    ) -> "Layout":
        """Read a layout off an attention mask or, without one, off positions that start again."""
        if mask is not None:
            return cls._runs(mask.bool(), None, shape)
        if positions is not None and positions.shape[-1] == shape[1]:
            return cls._runs(torch.ones(shape, dtype=torch.bool), positions, shape)
        return cls.plain(torch.full((shape[0],), shape[1], device=device), shape[1])

    @classmethod
    def _runs(
        cls, real: Bool[Tensor, "row column"], positions: Tensor | None, shape: tuple[int, int]
    ) -> "Layout":
        before = torch.zeros(shape, dtype=torch.bool, device=real.device)
        before[:, 1:] = real[:, :-1]
        if positions is not None:
            positions = positions.expand(shape).to(real.device)
            before[:, 1:] &= positions.diff(dim=1) == 1
        rows, starts = (real & ~before).nonzero(as_tuple=True)
        if positions is None and len(rows) != len(rows.unique()):
            raise ValueError(
                "attention_mask must mark one unbroken run of positions per row; got a row with "
                "a gap. Pack several texts into one row with position_ids that start again."
            )
        bounds = torch.cat([rows * shape[1] + starts, torch.tensor([real.numel()]).to(rows)])
        lengths = real.sum(dim=1)[rows] if positions is None else bounds.diff()
        return cls(shape, rows, starts, lengths)

    @cached_property
    def longest(self) -> int:
        """Return the length of the longest sequence."""
        return int(self.lengths.max()) if len(self.lengths) else 0

    @cached_property
    def is_plain(self) -> bool:
        """Whether every row is one sequence from its first column on."""
        return len(self.rows) == self.shape[0] and bool((self.starts == 0).all())

    @cached_property
    def real(self) -> Bool[Tensor, "row column"]:
        """Return where in the batch a sequence stands."""
        place, stops = (
            torch.arange(self.shape[1], device=self.rows.device),
            self.starts + self.lengths,
        )
        inside = (place >= self.starts[:, None]) & (place < stops[:, None])
        rows = torch.zeros(self.shape, dtype=torch.long, device=place.device)
        return rows.index_add(0, self.rows, inside.long()) > 0

    @cached_property
    def segments(self) -> Int[Tensor, "sequence position"] | None:
        """Return 1 at positions of a sequence and 0 beyond, or None where nothing is padding."""
        columns = self.shape[1] if self.is_plain else self.longest
        if bool((self.lengths == columns).all()):
            return None
        place = torch.arange(columns, device=self.lengths.device)
        return (place < self.lengths[:, None]).long()

    def unpad(self, batch: Tensor, position: int = -2) -> Tensor:
        """Return (sequence, ..., position, ...) from (row, ..., column, ...).

        A batch of one row stands for all rows.
        """
        if self.is_plain:
            return batch
        moved = batch.movedim(position, 1)
        rows = self.rows if len(batch) > 1 else torch.zeros_like(self.rows)
        return moved[rows[:, None], self._columns].movedim(1, position)

    def unpad_keys(self, pairs: Tensor) -> Tensor:
        """Return (sequence, ..., key) from (sequence, ..., column); one stands for all of them."""
        if self.is_plain:
            return pairs
        each = torch.arange(len(self.rows), device=pairs.device)
        each = each if len(pairs) > 1 else torch.zeros_like(each)
        return pairs.movedim(-1, 1)[each[:, None], self._columns].movedim(1, -1)

    def in_batch(self, sequence: Tensor, *positions: Tensor) -> tuple[Tensor, ...]:
        """Return the row of a sequence, and the columns of positions in it."""
        start, last = self.starts[sequence], self.shape[1] - 1
        return self.rows[sequence], *((start + each).clamp(max=last) for each in positions)

    @cached_property
    def _columns(self) -> Int[Tensor, "sequence position"]:
        place = torch.arange(self.longest, device=self.rows.device)
        return (self.starts[:, None] + place).clamp(max=self.shape[1] - 1)

    def repad(self, sequences: Tensor, position: int = -2) -> Tensor:
        """Put sequences back where they stood in the batch; zero wherever none stood."""
        if self.is_plain:
            return sequences
        moved = sequences.movedim(position, 1)
        batch = moved.new_zeros(*self.shape, *moved.shape[2:])
        place = torch.arange(self.longest, device=sequences.device)
        which, where = (place < self.lengths[:, None]).nonzero(as_tuple=True)
        batch[self.rows[which], self.starts[which] + where] = moved[which, where]
        return batch.movedim(1, position)
