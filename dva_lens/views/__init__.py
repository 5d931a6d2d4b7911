"""Figures of labelled data: they draw, and take every label from the data.

>>> import dva_lens as lens
>>> archive = lens.open_archive("runs/quick")
>>> figure = lens.views.depth_profile(archive.on(), "entropy")

Every view of the table `VIEWS` is a function of this package.
"""

from typing import Any

from dva_lens.validation import meant
from dva_lens.views.figure import Figure, bare
from dva_lens.views.rows import as_table
from dva_lens.views.table import VIEWS
from dva_lens.views.theme import CONFIG
from dva_lens.views.view import View

__all__ = ["CONFIG", "VIEWS", "Figure", "View", "as_table", "bare"]


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name in VIEWS:
        return VIEWS[name].function
    raise AttributeError(
        f"There is no view {name!r}{meant(name, VIEWS)}; there are: {', '.join(VIEWS)}."
    )


def __dir__() -> list[str]:
    return [*__all__, *VIEWS]
