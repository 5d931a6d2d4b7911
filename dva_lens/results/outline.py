"""What a group of an archive holds, without its numbers: read in milliseconds, for menus.

Opening a group with all its coordinates takes many times as long, and a menu needs one or two.
"""

# Strict but for what zarr leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import zarr

from dva_lens.results.groups import UNREADABLE, checked_attributes, short
from dva_lens.results.schema import BY_QUERY, REFERENCE, ArchiveError


@final
@dataclass(frozen=True)
class Variable:
    """The dimensions of a variable and what it says of itself."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Outline:
    """The variables of a group, in the order in which they were written."""

    path: Path
    name: str
    variables: Mapping[str, Variable]

    @property
    def sizes(self) -> Mapping[str, int]:
        """The length of every dimension."""
        return {
            dim: size
            for variable in self.variables.values()
            for dim, size in zip(variable.dims, variable.shape, strict=True)
        }

    @property
    def statistics(self) -> tuple[str, ...]:
        """The names of the statistics, in the order of the group."""
        return tuple(
            name
            for name, variable in self.variables.items()
            if "at" in variable.attrs and not name.endswith((REFERENCE, BY_QUERY))
        )

    def values(self, variable: str) -> np.ndarray:
        """Return the numbers or names of one variable, read now.

        Raises
        ------
        ArchiveError
            They cannot be read.
        """
        try:
            return np.asarray(zarr.open_array(self.path / variable, mode="r", zarr_format=3)[...])
        except UNREADABLE as error:
            raise ArchiveError(
                f"{variable} of {self.name} cannot be read: {short(error)}"
            ) from error


def outline(path: Path, name: str) -> Outline:
    """Return what a group holds; it is called `name`.

    Raises
    ------
    ArchiveError
        If the group is missing, half written or unreadable.
    """
    about = checked_attributes(path, name, store=path.parent)
    try:
        found = {file.parent.name: _variable(file) for file in path.glob("*/zarr.json")}
        names = about.get("variables", sorted(found))
        ordered = [*names, *(each for each in found if each not in names)]
        return Outline(path, name, {each: found[each] for each in ordered})
    except UNREADABLE as error:
        raise ArchiveError(f"{name} cannot be read: {short(error)}") from error


def _variable(file: Path) -> Variable:
    about = json.loads(file.read_bytes())
    shape = tuple(int(size) for size in about["shape"])
    dims = tuple(str(dim) for dim in about.get("dimension_names") or ())
    if len(dims) != len(shape):
        raise ValueError(f"{file.parent.name} has {len(shape)} dimensions and {len(dims)} names.")
    return Variable(dims, shape, dict(about.get("attributes", {})))
