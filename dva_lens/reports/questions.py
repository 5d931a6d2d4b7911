"""Questions to an archive in its report: a chapter for each answer, and why others have none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from dva_lens.plugins import Registry
from dva_lens.reports.chapters import of_part, renamed
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
    definition that the report holds already is not repeated. Each part of a study is asked by
    itself. What it holds too little for is listed at the end, with the reason.
    """
    chapters: list[Section] = []
    without: list[tuple[str, str]] = []
    drawn = {chart.name for chart in charts_of(report)}
    for number, (text, part) in enumerate(archive.parts.items()):
        before = text if number else ""
        for name, ask in asked.items():
            try:
                answer = ask(part)
            except ArchiveError as reason:
                without.append((_about(name, before), _said(reason, archive)))
                continue
            chapters.append(_chapter(name, answer, before, drawn))
            drawn |= {_linked(before, chart.name) for chart in charts_of(answer)}
    if without:
        title = "Questions without an answer here"
        chapters.append(Section("unanswered", title, (Points(tuple(without)),)))
    return replace(report, sections=(*report.sections, *chapters))


def answer_of_parts(archive: Archive, ask: Ask) -> Report:
    """Return the answer of every part of a study on one page, the first one's title above it.

    Raises
    ------
    ArchiveError
        No part holds what the question needs; it is the reason of the first.
    """
    found: dict[str, Report] = {}
    reasons: list[ArchiveError] = []
    for text, part in archive.parts.items():
        try:
            found[text] = ask(part)
        except ArchiveError as reason:
            reasons.append(reason)
    if not found:
        raise reasons[0]
    (_, first), *others = found.items()
    further = [of_part(section, text) for text, each in others for section in each.sections]
    return replace(first, sections=(*first.sections, *further))


def _about(name: str, text: str) -> str:
    words = name.replace("-", " ").capitalize()
    return f"{words} on {text}." if text else f"{words}."


def _linked(text: str, name: str) -> str:
    """Return the link of what a report calls by a name; parts after the first name their text."""
    return f"{text}-{name}" if text else name


def _said(reason: ArchiveError, archive: Archive) -> str:
    """Say why there is no answer without naming the folder, which may be called otherwise."""
    words = str(reason).replace(str(archive.folder), "this archive")
    return f"{words[:1].upper()}{words[1:]}"


def _chapter(name: str, answer: Report, text: str, drawn: set[str]) -> Section:
    first, *others = answer.sections
    folded = [
        Folded(section.title, parts)
        for section in others
        if (parts := tuple(_kept(section.parts, text, drawn)))
    ]
    parts: Sequence[Part] = (Text(answer.lede), *_kept(first.parts, text, drawn), *folded)
    link = _linked(text, f"question-{name}")
    title = f"{text}: {answer.title}" if text else answer.title
    return Section(link, title, tuple(renamed(part, link) for part in parts))


def _kept(parts: Sequence[Part], text: str, drawn: set[str]) -> Iterable[Part]:
    for part in parts:
        if isinstance(part, GlossaryEntry):
            continue
        if not isinstance(part, Chart) or _linked(text, part.name) not in drawn:
            yield part
