"""The sections of a report, in order: the file of each has the name of its link."""

from collections.abc import Callable
from importlib import import_module

from dva_lens.plugins import Registry
from dva_lens.reports.material import Material
from dva_lens.reports.page import Section

_FILES = (
    "findings",
    "concentration",
    "sinks",
    "values",
    "more",
    "training",
    "methods",
)


def _section(file: str) -> Callable[[Material], Section | None]:
    return import_module(f"dva_lens.reports.sections.{file}").section


SECTIONS: Registry[Callable[[Material], Section | None]] = Registry(
    {file: _section(file) for file in _FILES}
)
"""What makes each section of what an archive holds; None leaves it out of the page."""
