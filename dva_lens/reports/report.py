"""The report of a study: one offline page, and its figures as files."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dva_lens.reports.chapters import chapters
from dva_lens.reports.facts import facts
from dva_lens.reports.files import write_figures, write_page
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Report
from dva_lens.reports.questions import Ask, with_questions
from dva_lens.reports.sections.table import SECTIONS
from dva_lens.results.archive import Archive, open_archive
from dva_lens.views.words import spelled


def write_report(
    folder: Path,
    out: Path,
    *,
    text: str | None = None,
    figures: bool = False,
    questions: Mapping[str, Ask] = MappingProxyType({}),
) -> Path:
    """Write the report of an archive on an evaluation text and return the path of the page.

    Parameters
    ----------
    folder : Path
        The folder of a study.
    out : Path
        The HTML file to write.
    text : str, optional
        The evaluation text; default: the main one.
    figures : bool
        Also write every figure and table as SVG, PDF and CSV, into a folder beside the page that
        is called like it.
    questions : mapping
        Questions to the whole archive by their names; each has a chapter at the end.

    Raises
    ------
    ArchiveError
        If there is no archive, or no run was measured on the text.
    ValueError
        If `out` is a folder, or the seeds of a model were measured on different texts.
    """
    archive = open_archive(folder)
    report = with_questions(report_of(archive, text), archive, questions)
    written = write_page(report, Path(out))
    if figures:
        write_figures(report, written.with_suffix(""))
    return written


def report_of(archive: Archive, text: str | None = None) -> Report:
    """Return the report of an archive on an evaluation text; default: the main ones of its parts.

    Raises
    ------
    ArchiveError
        If no run was measured on the text.
    ValueError
        If the seeds of a model were measured on different texts.
    """
    material = gather(archive, text)
    made = [make(material) for make in SECTIONS.values()]
    own = [section for section in made if section is not None]
    further = chapters(material) if text is None else ()
    return Report(
        title=_title(material),
        lede=_lede(material),
        facts=facts(material),
        sections=(*own, *further),
    )


def _title(material: Material) -> str:
    if len(material.models) == 1:
        return f"Where attention goes in {material.models[0]}"
    return f"Where attention goes in {spelled(len(material.models), 'model')}"


def _lede(material: Material) -> str:
    if len(material.models) == 1:
        return (
            "Where does attention go in each layer, how concentrated is it, and how does the "
            "value path shape it?"
        )
    same = "different texts" if material.why_not_compared else "the same text"
    return (
        f"{spelled(len(material.models), 'model').capitalize()}, measured on {same}. Is "
        "attention more or less concentrated, do sinks or drained values differ, in which layers, "
        "and is the difference larger than chance?"
    )
