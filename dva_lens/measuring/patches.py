"""Images as sequences: which positions are patches, and where in the image they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from dva_lens.results.schema import PATCH_COLUMNS, PATCH_FIRST, PATCH_ROWS

MOST_EXTRA = 16
"""Positions ahead of the patches that a model may have, such as a class token and registers."""


@final
@dataclass(frozen=True)
class PatchGrid:
    """Rows and columns of the patches of an image, row by row from its upper left corner."""

    rows: int
    columns: int

    @classmethod
    def of(cls, image: tuple[int, int, int], patch: tuple[int, int] | None) -> "PatchGrid | None":
        """Return the grid of an image (channel, row, column), None where no patches divide it."""
        if patch is None or any(size % part for size, part in zip(image[1:], patch, strict=True)):
            return None
        return cls(image[1] // patch[0], image[2] // patch[1])

    @property
    def most(self) -> int:
        """Return how many positions such an image has at most."""
        return self.rows * self.columns + MOST_EXTRA

    def first(self, length: int) -> int | None:
        """Return the position of the first patch among so many, None where they are no patches.

        Whatever else there is, such as a class token, comes ahead of the patches.
        """
        extra = length - self.rows * self.columns
        return extra if 0 <= extra <= MOST_EXTRA else None

    def facts(self, length: int) -> dict[str, int]:
        """Return what a measurement says of its patches; nothing where there are none."""
        first = self.first(length)
        if first is None:
            return {}
        return {PATCH_ROWS: self.rows, PATCH_COLUMNS: self.columns, PATCH_FIRST: first}

    def words(self, length: int) -> Sequence[str]:
        """Return what positions are called: patches by row and column, from 0."""
        first = self.first(length)
        if first is None:
            return [str(place) for place in range(length)]
        places = (divmod(place, self.columns) for place in range(length - first))
        patches = [f"{row},{column}" for row, column in places]
        return [*(f"extra {place}" for place in range(first)), *patches]
