"""Attributes whose names are not Python's: `aria-*` and `data-*`."""

from typing import Any


def attributes(**given: Any) -> dict[str, Any]:
    """Return attributes by their names in HTML: `aria_label` is `aria-label`."""
    return {name.replace("_", "-"): value for name, value in given.items()}
