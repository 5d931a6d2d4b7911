"""Questions to an archive by name: a script answers each, and a chapter of the report."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dva_lens.reports.questions import Ask

ABOUT_ARCHIVES = (
    "sinks-and-drains",
    "order-of-mechanisms",
    "value-residuals",
    "dva-ladder",
    "onsets",
    "concentration-by-length",
    "value-dynamics",
    "stream-by-depth",
    "head-families",
    "entropy-by-depth",
    "competing-definitions",
    "training-cost",
)
"""In the order of the report; `dva_lens.analyses` holds the script of each."""


def questions_to_archives() -> "Mapping[str, Ask]":
    """Return what answers each question from an archive, by name; those of plugins come last."""
    from dva_lens.reports.questions import QUESTIONS

    return {**{name: _script(name).report for name in ABOUT_ARCHIVES}, **QUESTIONS}


def words_of_questions() -> Mapping[str, str]:
    """Return what each question asks, by name."""
    from dva_lens.reports.questions import QUESTIONS

    added = {name: (ask.__doc__ or "").partition("\n")[0] for name, ask in QUESTIONS.items()}
    return {**{name: str(_script(name).QUESTION) for name in ABOUT_ARCHIVES}, **added}


def _script(name: str) -> Any:
    return import_module(f"dva_lens.analyses.{name.replace('-', '_')}")
