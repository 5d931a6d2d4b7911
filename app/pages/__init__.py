"""The pages of the explorer, in the order of its navigation: a new page is its name here."""

from importlib import import_module

from dva_lens.plugins import Registry

from ..inspector import PARTS
from ..page import Page, Panel, Words, single_parts

NAMES = (
    "overview",
    "heads",
    "tokens",
    "values",
    "compare",
    "training",
    "live",
    "about",
)

_FOUND = (import_module(f".{name}", __name__).PAGE for name in NAMES)
PAGES: Registry[Page] = Registry({page.path: page for page in _FOUND})
"""Every page by its path, those that plugins add too."""


def parts_by_name() -> dict[str, Panel | Words]:
    """Return the figures and words of all pages, and of what stands beside them, by name."""
    pages = {part.name: part for page in PAGES.values() for part in single_parts(page.parts)}
    return {**pages, **{part.name: part for part in PARTS}}
