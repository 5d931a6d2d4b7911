"""The report of a study: one offline page, and its figures as files."""

from pathlib import Path

from dva_lens.reports.files import write_figures, write_page
from dva_lens.reports.findings import compared
from dva_lens.reports.material import Material, gather
from dva_lens.reports.methods import facts, methods
from dva_lens.reports.page import Report
from dva_lens.reports.sections import concentration, in_short, sinks, training, values
from dva_lens.results.archive import Archive, open_archive
from dva_lens.views.words import spelled


def write_report(
    folder: Path, out: Path, *, probe: str | None = None, figures: bool = False
) -> Path:
    """Write the report of an archive, on its main probe if none is named; return the page's path.

    With `figures`, every figure and table is also written as SVG, PDF and CSV, into a folder
    beside the page that is called like it.
    """
    report = report_of(open_archive(folder), probe)
    written = write_page(report, Path(out))
    if figures:
        write_figures(report, written.with_suffix(""))
    return written


def report_of(archive: Archive, probe: str | None = None) -> Report:
    """Return the report of an archive, on its main probe if none is named."""
    material = gather(archive, probe)
    held = archive.probes(archive.runs[0])
    others = [gather(archive, name) for name in held if name != material.probe]
    comparisons = compared(material)
    return Report(
        title=_title(material),
        lede=_lede(material),
        facts=facts(material),
        sections=(
            in_short(material, comparisons),
            concentration(material, others),
            sinks(material),
            values(material),
            training(material),
            methods(material),
        ),
    )


def _title(material: Material) -> str:
    if len(material.models) == 1:
        return f"Where attention goes in {material.models[0]}"
    return f"Where attention goes in {spelled(len(material.models), 'model')}"


def _lede(material: Material) -> str:
    if len(material.models) == 1:
        return (
            "Where does attention go, layer by layer, how concentrated is it, and what does the "
            "value path have to do with it?"
        )
    return (
        f"{spelled(len(material.models), 'model').capitalize()}, measured on the same text. Did "
        "attention become more or less concentrated, did sinks or drains change, in which "
        "layers, and is the difference more than chance?"
    )
