"""Models in words: what makes one differ, wherever one is chosen."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dva_lens.reports.sentences import trait
from dva_lens.results.runs import Run
from dva_lens.views.words import number

from .catalogue import Catalogue
from .library import Library


def run_words(library: Library, run: str) -> str:
    """Return what makes the model of a run differ, in a few words."""
    choice = library.catalogue.run(run)
    return _words(library.archive.run(choice.key), library.catalogue, run)


def model_words(library: Library, model: str) -> str:
    """Return what makes a model differ, in a few words, as its first run says."""
    return run_words(library, library.catalogue.first_runs[model])


def _words(run: Run, catalogue: Catalogue, name: str) -> str:
    """Return the words of a preset; of any other model its configuration, or else its size."""
    meaning = _presets().get(run.preset)
    if meaning is not None:
        return meaning
    choice = catalogue.run(name)
    size = f"{number(choice.layers, 'layer')} of {number(choice.heads, 'head')}"
    return ", ".join((size, *_of_config(run.attrs)))


def _of_config(attrs: Mapping[str, Any]) -> list[str]:
    try:
        said = json.loads(attrs.get("config") or "{}")
    except (TypeError, ValueError):
        return []
    fed = said.get("feedforward") if isinstance(said, dict) else None
    kind = fed.get("kind") if isinstance(fed, dict) else fed
    parts = ["no feed-forward network"] if kind == "none" else []
    return parts + [words for words in (trait(attrs.get("config")),) if words]


@lru_cache(maxsize=1)
def _presets() -> Mapping[str, str]:
    """Return the words of all presets; they are asked for when the first page is drawn."""
    from dva_lens.models.presets import PRESETS

    return {name: preset.meaning for name, preset in PRESETS.items()}
