"""Where the positions of a text or an image are drawn."""

from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from dva_lens.results.schema import PATCH_COLUMNS, PATCH_FIRST, PATCH_ROWS

ACROSS = 32
"""Positions of a text in one row."""


@final
@dataclass(frozen=True)
class Places:
    """Where positions are drawn: a row and a column each; extra ones stand in a row above."""

    row: Int[np.ndarray, "position"]
    column: Int[np.ndarray, "position"]
    rows: int
    columns: int
    image: bool

    @classmethod
    def of(cls, run: xr.Dataset, length: int) -> "Places":
        """Return the grid of patches of an image, or rows of a text."""
        place = np.arange(length)
        if PATCH_ROWS not in run.attrs:
            columns = min(ACROSS, length)
            return cls(place // columns, place % columns, -(-length // columns), columns, False)
        rows, columns, first = (
            int(run.attrs[name]) for name in (PATCH_ROWS, PATCH_COLUMNS, PATCH_FIRST)
        )
        patch = place - first
        row = np.where(patch < 0, -1, patch // columns)
        return cls(row, np.where(patch < 0, place, patch % columns), rows, columns, True)

    def table(self, values: Float[np.ndarray, "position"]) -> Float[np.ndarray, "row column"]:
        """Return values in rows and columns, NaN where nothing stands; extra ones come first."""
        above = int((self.row < 0).any())
        found = np.full((self.rows + above, max(self.columns, self.extra)), np.nan)
        found[self.row + above, self.column] = values
        return found

    @property
    def extra(self) -> int:
        """Return how many positions are no patches."""
        return int((self.row < 0).sum())
