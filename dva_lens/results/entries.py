"""Which number of a statistic is meant where it has several: a threshold, a source, a kind."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.schema import DIMENSIONS

PUBLISHED_THRESHOLD = 0.3
USUAL_SOURCE = "first"
EVERY = "every"
Entry = Mapping[str, Any] | str | float | None


def split_name(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the statistic and the entries of a name such as `sink_rate:0.3`."""
    statistic, *entries = name.split(":")
    return statistic, tuple(entries)


def further_dimensions(variable: xr.DataArray) -> tuple[str, ...]:
    """Return the dimensions of a statistic beyond step, layer, head, sequence and span."""
    known = {axes.STEP, axes.RUN, *DIMENSIONS["query"], axes.KV_HEAD}
    return tuple(str(dim) for dim in variable.dims if dim not in known)


def chosen_entry(variable: xr.DataArray, entry: Entry = None) -> dict[str, Any]:
    """Return the label at which each further dimension of a statistic is read.

    Default: the published threshold, values of the first layer for a source, and the first entry
    of any other dimension. `entry` names others: a mapping from dimension to label, or labels as
    in `sink_rate:0.3`, joined by colons, one per dimension. "every" chooses nothing.

    Raises
    ------
    ValueError
        If the statistic has no such dimension or no such label.
    """
    further = further_dimensions(variable)
    if entry == EVERY:
        return {}
    wanted = dict(entry) if isinstance(entry, Mapping) else _labelled(variable, further, entry)
    for dim in wanted:
        if dim not in further:
            raise ValueError(
                f"{str(variable.name)!r} has no further dimension {dim!r}; it has: "
                f"{', '.join(further) or 'none'}."
            )
    return {dim: _label(variable, dim, wanted.get(dim)) for dim in further}


def entry_words(entry: Mapping[str, Any]) -> str:
    """Say at which labels a statistic was read, such as `threshold 0.3`."""
    return " and ".join(f"{dim} {label}" for dim, label in entry.items())


def _labelled(
    variable: xr.DataArray, further: tuple[str, ...], entry: str | float | None
) -> dict[str, Any]:
    labels = () if entry is None or entry == "" else tuple(str(entry).split(":"))
    if len(labels) > len(further):
        held = f"only of {', '.join(further)}" if further else "of nothing"
        raise ValueError(
            f"{str(variable.name)!r} has entries {held}, got {':'.join(labels)!r}; leave out "
            f"{':'.join(labels[len(further) :])!r}."
        )
    return dict(zip(further, labels, strict=False))


def _label(variable: xr.DataArray, dim: str, wanted: Any) -> Any:
    held: list[Any] = [_plain(label) for label in variable[dim].values]
    if wanted is None:
        return _usual(dim, held)
    for label in held:
        if label == wanted or str(label) == str(wanted) or _close(label, wanted):
            return label
    raise ValueError(
        f"{dim} of {str(variable.name)!r} is one of {', '.join(map(str, held))}, got {wanted!r}."
    )


def _usual(dim: str, held: list[Any]) -> Any:
    if dim == axes.THRESHOLD:
        return min(held, key=lambda label: abs(label - PUBLISHED_THRESHOLD))
    if dim == axes.SOURCE and USUAL_SOURCE in held:
        return USUAL_SOURCE
    return held[0]


def _close(label: Any, wanted: Any) -> bool:
    try:
        return bool(np.isclose(float(label), float(wanted)))
    except (TypeError, ValueError):
        return False


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
