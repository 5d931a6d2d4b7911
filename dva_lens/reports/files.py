"""Reports on disk: the page, each figure as SVG, PDF and CSV, each table as LaTeX too."""

from pathlib import Path

from dva_lens.reports.page import DataTable, Report, charts_of, tables_of
from dva_lens.reports.paper_tables import to_latex, to_markdown
from dva_lens.reports.render import render
from dva_lens.results.tables import to_csv
from dva_lens.writing import check_replaceable, write_text


def write_page(report: Report, out: Path) -> Path:
    """Write a report as one HTML file; an unfinished file never takes the place of another.

    Raises
    ------
    ValueError
        If `out` is there and is not a regular file.
    """
    if out.is_dir():
        raise ValueError(
            f"{out} is a folder; name the HTML file to write, such as {out}/report.html."
        )
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    page = render(report)
    return write_text(out, page)


def write_figures(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every figure as SVG, PDF and CSV and every table as CSV, LaTeX and Markdown.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib, the extra `figures`, is not installed.
    """
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
    for table in tables_of(report):
        written.append(_write_csv(table, folder))
        written.append(write_text(folder / f"{table.name}.tex", to_latex(table)))
        written.append(write_text(folder / f"{table.name}.md", to_markdown(table)))
    return tuple(written)


def _write_csv(table: DataTable, folder: Path) -> Path:
    path = folder / f"{table.name}.csv"
    return write_text(path, to_csv(table.columns, table.rows))
