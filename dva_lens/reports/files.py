"""Reports on disk: the page, and each figure as SVG, PDF and CSV."""

from pathlib import Path

from dva_lens.reports.page import DataTable, Report, charts_of, tables_of
from dva_lens.reports.render import render
from dva_lens.views.rows import to_csv


def write_page(report: Report, out: Path) -> Path:
    """Write a report as one HTML file; an unfinished file never takes the place of another."""
    if out.is_dir():
        raise ValueError(
            f"{out} is a folder; name the HTML file to write, such as {out}/report.html."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_text(render(report), encoding="utf-8")
    return part.replace(out)


def write_figures(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every figure as SVG and PDF and every table as CSV into a folder."""
    try:
        from dva_lens.reports.drawing import save  # needs the extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Figures as SVG and PDF are drawn by matplotlib, which is not installed; get it with "
            "`pip install 'dva-lens[figures]'`."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for chart in charts_of(report):
        written.append(_write_csv(chart.table, folder))
        written += [save(chart.figure, folder / f"{chart.name}.{kind}") for kind in ("svg", "pdf")]
    return (*written, *(_write_csv(table, folder) for table in tables_of(report)))


def _write_csv(table: DataTable, folder: Path) -> Path:
    path = folder / f"{table.name}.csv"
    path.write_text(to_csv(table.columns, table.rows), encoding="utf-8")
    return path
