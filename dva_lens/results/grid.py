"""Numbers over labelled dimensions as plain arrays: what one training holds before all are joined.

A report reads hundreds of small arrays; here an array costs what its numbers cost.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr


@final
@dataclass(frozen=True)
class Grid:
    """Numbers, and the labels of each of their dimensions in the order of their axes."""

    numbers: np.ndarray
    labels: Mapping[str, np.ndarray]

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dimensions."""
        return tuple(self.labels)

    def over(self, dims: Sequence[str]) -> np.ndarray:
        """Return the numbers with an axis for every dimension, of length one where it has none."""
        return lifted(xr.Variable(self.dims, self.numbers), dims)


def grid_of(values: xr.DataArray) -> Grid:
    """Return the numbers and labels of an array; dimensions without labels are counted."""
    known = values.coords.variables
    labels = {
        str(dim): known[dim].values if dim in known else np.arange(size)
        for dim, size in values.sizes.items()
    }
    return Grid(values.values, labels)


def lifted(values: xr.Variable, dims: Sequence[str]) -> np.ndarray:
    """Return an array with an axis for every dimension, of length one where it has none."""
    own = [dim for dim in dims if dim in values.dims]
    ordered = values.transpose(*own).values.astype(float)
    return ordered[tuple(slice(None) if dim in own else None for dim in dims)]
