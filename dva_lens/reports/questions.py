"""Questions to an archive in its report: a chapter for each answer, and why others have none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from dva_lens.plugins import Registry
from dva_lens.reports.chapters import renamed
from dva_lens.reports.page import (
    Chart,
    Folded,
    GlossaryEntry,
    Part,
    Points,
    Report,
    Section,
    Text,
    charts_of,
)
from dva_lens.results.archive import Archive
from dva_lens.results.schema import ArchiveError

Ask = Callable[[Archive], Report]
"""Answers a question from an archive, or raises ArchiveError where it holds too little."""
QUESTIONS: Registry[Ask] = Registry({})
"""Questions that plugins add to those of `dva_lens.analyses`; the docstring of each asks it."""


def with_questions(report: Report, archive: Archive, asked: Mapping[str, Ask]) -> Report:
    """Return a report with a chapter for every question, by the name it is asked under.

    The open part of a chapter is the first section of the answer; others are folded. A figure or a
    definition that the report holds already is not repeated. What the archive holds too little for
    is listed at the end, with the reason.
    """
    chapters: list[Section] = []
    without: list[tuple[str, str]] = []
    drawn = {chart.name for chart in charts_of(report)}
    for name, ask in asked.items():
        try:
            answer = ask(archive)
        except ArchiveError as reason:
            without.append((f"{name.replace('-', ' ').capitalize()}.", _said(reason, archive)))
            continue
        chapters.append(_chapter(name, answer, drawn))
        drawn |= {chart.name for chart in charts_of(answer)}
    if without:
        title = "Questions without an answer here"
        chapters.append(Section("unanswered", title, (Points(tuple(without)),)))
    return replace(report, sections=(*report.sections, *chapters))


def _said(reason: ArchiveError, archive: Archive) -> str:
    """Say why there is no answer without naming the folder, which may be called otherwise."""
    words = str(reason).replace(str(archive.folder), "this archive")
    return f"{words[:1].upper()}{words[1:]}"


def _chapter(name: str, answer: Report, drawn: set[str]) -> Section:
    first, *others = answer.sections
    folded = [
        Folded(section.title, parts)
        for section in others
        if (parts := tuple(_kept(section.parts, drawn)))
    ]
    parts: Sequence[Part] = (Text(answer.lede), *_kept(first.parts, drawn), *folded)
    link = f"question-{name}"
    return Section(link, answer.title, tuple(renamed(part, link) for part in parts))


def _kept(parts: Sequence[Part], drawn: set[str]) -> Iterable[Part]:
    for part in parts:
        if isinstance(part, GlossaryEntry) or (isinstance(part, Chart) and part.name in drawn):
            continue
        yield part
