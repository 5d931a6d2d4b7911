"""`dva-lens list`: the tables that everything else is made of."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What can be listed."""

    mechanisms = "mechanisms"
    statistics = "statistics"
    presets = "presets"
    studies = "studies"
    views = "views"
    questions = "questions"


def show(what: Annotated[What, typer.Argument(metavar="TABLE", help="What to list.")]) -> None:
    """List the names that commands and study files accept, each with its meaning.

    Example: dva-lens list statistics
    """
    for line in TABLES[what]():
        typer.echo(line)


def _mechanisms() -> Iterator[str]:
    from dva_lens.mechanisms.tables import AXES

    for axis, table in AXES.items():
        yield axis
        for name, meaning in table.meanings().items():
            yield _entry(f"  {name}", meaning)


def _statistics() -> Iterator[str]:
    from dva_lens.statistics.table import STATISTICS

    for name, one in STATISTICS.items():
        yield _entry(name, f"[{one.units}] {one.meaning}")


def _presets() -> Iterator[str]:
    from dva_lens.mechanisms.value_form import VALUE_FORMS
    from dva_lens.models.presets import PRESETS

    for name, one in PRESETS.items():
        yield _entry(name, f"{one.meaning}; {one.citation}")
    forms = ", ".join(VALUE_FORMS)
    yield _entry(
        "Hh-FED-FORM-SOURCE", "the controlled grid: H heads (1, or as many as the size has);"
    )
    yield _entry("", f"FED: ff, noff; FORM: {forms}; SOURCE: own, residual")
    yield _entry("1h-noff-pairwise-own", "example: one head, no feed-forward, pairwise values")
    yield _entry("grid", "the whole grid; for `presets:` of a study")


def _studies() -> Iterator[str]:
    from dva_lens.study.builtin import STUDIES

    for name, one in STUDIES.items():
        for part in (one, *one.get("parts", ())):
            seeds = ", ".join(str(seed) for seed in part["seeds"])
            said = f"{', '.join(part['presets'])}; seeds {seeds}"
            yield _entry(name, said if part is one else f"and {part['name']}: {said}")


def _views() -> Iterator[str]:
    from dva_lens.views.table import VIEWS

    for name, one in VIEWS.items():
        yield _entry(name, one.question)


def _questions() -> Iterator[str]:
    from dva_lens.analyses.questions import words_of_questions  # pyright: ignore[reportMissingImports] - a mapped folder
    from dva_lens.cli.diagnose import QUESTIONS

    for name, words in words_of_questions().items():
        yield _entry(name, f"{words} (archive)")
    for name, words in QUESTIONS.items():
        yield _entry(name, f"{words} (model)")
    yield _entry("(archive)", "python -m dva_lens.analyses.NAME DIR, with _ for -; and report DIR")
    yield _entry("(model)", "dva-lens diagnose NAME MODEL")


def _entry(name: str, meaning: str) -> str:
    return f"{name:<32} {meaning}".rstrip()


TABLES: dict[What, Callable[[], Iterator[str]]] = {
    What.mechanisms: _mechanisms,
    What.statistics: _statistics,
    What.presets: _presets,
    What.studies: _studies,
    What.views: _views,
    What.questions: _questions,
}
