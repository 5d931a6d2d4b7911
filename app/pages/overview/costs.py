"""What each model costs, and how it was measured: rows of text around the statistics."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...library import Library

Row = tuple[str, str, Mapping[str, str]]
"""A title, a unit, and a text for each model."""


def costs(library: Library) -> list[Row]:
    """Return what each model costs; trainings that differ are shown from the least to the most."""
    rows = []
    for key, title, unit in _COSTS:
        found: dict[str, list[float]] = {}
        for run in library.archive.runs:
            value = run.attrs.get(key)
            if isinstance(value, int | float) and np.isfinite(value):
                found.setdefault(run.model, []).append(float(value))
        if found:
            rows.append((title, unit, {model: _range(values) for model, values in found.items()}))
    return rows


def conditions(library: Library, text: str) -> list[Row]:
    """Return how each model was measured on a text, as its first training says."""
    said: dict[str, Mapping[str, Any]] = {}
    for part in library.on(text).parts:
        said.setdefault(part.model, part.data.attrs)
    rows = []
    for key, title, unit in _CONDITIONS:
        found = {model: str(attrs[key]) for model, attrs in said.items() if key in attrs}
        if found:
            rows.append((title, unit, found))
    return rows


def _range(values: list[float]) -> str:
    ends = dict.fromkeys((_short(min(values)), _short(max(values))))
    return " – ".join(ends)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


_COSTS = (
    ("parameters", "Parameters", ""),
    ("flops_per_token", "Compute", "FLOP per token"),
    ("kv_bytes_per_token", "Key-value cache", "bytes per token"),
    ("train_seconds", "Training time", "s"),
)

_CONDITIONS = (
    ("bos", "Special tokens", ""),
    ("chat_template", "Chat template", ""),
    ("padding_side", "Padding", ""),
    ("window", "Window", "tokens"),
    ("stride", "Stride", "tokens"),
    ("dtype", "Precision", ""),
    ("backend", "Kernel", ""),
)
