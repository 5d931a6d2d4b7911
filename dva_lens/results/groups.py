"""Open one group of an archive: whole, or with a sentence that names it."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import BaseZarrError

from dva_lens.results.schema import ArchiveError
from dva_lens.results.writer import count_files

UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    BaseZarrError,
)
"""What the libraries raise over what is damaged."""


def open_group(store: Path, group: str, name: str, chunks: Any = None) -> xr.Dataset:
    """Open a group of a zarr store lazily, its variables in the order they were written.

    With `chunks`, variables are dask arrays, which are read when they are computed.

    Raises
    ------
    ArchiveError
        If the group is missing, half written or unreadable; it is called `name`.
    """
    checked_attributes(store / group, name, store=store)
    try:
        opened = xr.open_zarr(store, group=group, consolidated=False, chunks=chunks)
        names = opened.attrs.pop("variables", list(opened))
        opened.attrs.pop("files", None)
        return _with_python_text(opened[names], name)
    except ArchiveError:
        raise
    except UNREADABLE as error:
        raise ArchiveError(f"{name} cannot be read: {short(error)}") from error


def read(data: xr.Dataset, name: str, *, but: tuple[str, ...] = ()) -> xr.Dataset:
    """Read the variables of an opened group, so that a damaged one is found now and named.

    Parameters
    ----------
    data
        What `open_group` returned.
    name
        What the group is called.
    but
        Variables whose names end in one of these are not read.

    Raises
    ------
    ArchiveError
        A variable cannot be read, such as for a chunk that was cut or changed.
    """
    for variable in data.variables:
        if str(variable).endswith(but):
            continue
        _values(data.variables[variable], f"{variable!s} of {name}")
    return data


def _values(variable: xr.Variable, name: str) -> np.ndarray:
    """Return the values of a variable, which keeps them; a damaged one is named."""
    try:
        return variable.load().values
    except UNREADABLE as error:
        raise ArchiveError(
            f"{name} cannot be read, it is damaged: {short(error)}; delete the group of this "
            f"run and run the same command again."
        ) from error


def checked_attributes(path: Path, name: str, *, store: Path) -> dict[str, Any]:
    """Return what a group says of itself, if all of its files are there.

    Raises
    ------
    ArchiveError
        If the group is missing, half written or unreadable; it is called `name`.
    """
    about = attributes_of(path, name)
    due, found = about.get("files", 0), count_files(path)
    if found < due:
        raise ArchiveError(
            f"{name} is half written: it holds {found} of its {due} files; delete {store} "
            f"and run the study again."
        )
    return about


def attributes_of(path: Path, name: str) -> dict[str, Any]:
    """Return what a group says of itself.

    Raises
    ------
    ArchiveError
        If the group is missing or unreadable; it is called `name`.
    """
    about = path / "zarr.json"
    if about.exists() and not about.is_file():  # a pipe would be waited for
        raise ArchiveError(f"{name} cannot be read: {about} is not a regular file.")
    try:
        return dict(zarr.open_group(path, mode="r", zarr_format=3).attrs)
    except UNREADABLE as error:
        raise ArchiveError(
            f"{name} cannot be read, it is missing, locked or half written: {short(error)}"
        ) from error


def short(error: BaseException) -> str:
    """Return the kind of an exception and its first line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}"


def _with_python_text(dataset: xr.Dataset, group: str) -> xr.Dataset:
    texts = {
        name: (
            variable.dims,
            _values(variable, f"{name!s} of {group}").astype(object),
            variable.attrs,
        )
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "T"
    }
    return dataset.assign(texts)
