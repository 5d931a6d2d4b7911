"""`dva-lens report` and `dva-lens explore`: the two ways to look at an archive."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dva_lens.analyses.questions import questions_to_archives  # pyright: ignore[reportMissingImports] - a mapped folder
from dva_lens.cli.guard import FAILED
from dva_lens.cli.texts import FormerText, Text, chosen_text

if TYPE_CHECKING:
    from dva_lens.results.archive import Archive

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Archive folder.")]


def report(  # noqa: PLR0913 - one argument per option
    folder: Folder,
    *,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    text: Text = None,
    probe: FormerText = None,
    figures: Annotated[
        bool,
        typer.Option("--figures", help="Also write figures as SVG and PDF, tables as LaTeX."),
    ] = False,
    claims: Annotated[
        Path | None, typer.Option(help="Also write what the report claims to this JSON file.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Write nothing, and fail if the data no longer support these claims."),
    ] = None,
) -> None:
    """Write a self-contained HTML report: findings, figures, tables and methods.

    Example: dva-lens report runs/quick --out report.html
    """
    from dva_lens.reports.claims import claims_of, claims_text
    from dva_lens.reports.report import write_report
    from dva_lens.writing import write_text

    archive = opened(folder)
    if check is not None:
        _check_claims(check, archive)
        return
    if claims is not None:
        found = claims_of(archive)
        write_text(claims, claims_text(found))
        typer.echo(f"Claims: {claims} ({len(found.claims)})")
    chosen = chosen_text(text, probe)
    asked = questions_to_archives() if chosen is None else {}
    written = write_report(folder, out, text=chosen, figures=figures, questions=asked)
    typer.echo(f"Report: {written}")


def _check_claims(path: Path, archive: "Archive") -> None:
    """Hold claims against an archive; leave with 1 where one is no longer supported."""
    from dva_lens.reports.claims import no_longer_supported, read_claims_of_report

    before = read_claims_of_report(path)
    lost = no_longer_supported(before, archive)
    for sentence in lost:
        typer.echo(sentence, err=True)
    held = sum(claim.state != "undecided" for claim in before.claims)
    left = len(before.claims) - held
    beside = f" {left} undecided comparisons claim nothing." if left else ""
    typer.echo(f"{held - len(lost)} of {held} claims are supported.{beside}")
    if lost:
        raise typer.Exit(FAILED)


def explore(  # noqa: PLR0913 - one argument per option
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Archive folder.", show_default=False)
    ] = None,
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Checkpoint folder, GGUF file or hub name of a model to run on typed texts; may "
            "be repeated, and needs no archive."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the local server.")] = 8050,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that answer; more than one needs gunicorn.")
    ] = 1,
    static: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write the pages to this folder instead, as files that open without Python.",
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="With --static: a run to choose among; may be repeated. By default one of every "
            "model."
        ),
    ] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option(help="With --static: a statistic to choose among; may be repeated."),
    ] = None,
) -> None:
    """Explore an archive in the browser, or run a model on texts typed there; until Ctrl-C.

    Example: dva-lens explore runs/quick --model gpt2
    """
    if static is not None:
        _write_pages(folder, static, run or (), statistic or (), alone=not model and workers == 1)
        return
    if run or statistic:
        raise typer.BadParameter("--run and --statistic say what --static writes; pass it too")
    if folder is None and not model:
        raise typer.BadParameter(
            "explore takes the folder of an archive, or --model to run a model on typed texts; "
            "pass one of them or both"
        )
    if workers > 1 and model:
        raise typer.BadParameter("--model needs a single worker; leave --workers out")
    if workers > 1 and find_spec("gunicorn") is None:
        raise ModuleNotFoundError(
            "More than one worker needs the package `gunicorn` (pip install gunicorn); or leave "
            "--workers out."
        )
    with _no_garbage_yet():
        if folder is not None:
            opened(folder)
        from dva_lens.app import create_app  # pyright: ignore[reportMissingImports] - a mapped folder
        from dva_lens.app.server import check_port, leave, serve  # pyright: ignore[reportMissingImports]

        check_port(port)
        app = create_app(folder, models=model or (), several=workers > 1)
    what = "models" if folder is None else folder
    typer.echo(f"Explorer of {what}: http://127.0.0.1:{port} (press Ctrl-C to stop)")
    if workers > 1 and folder is not None:
        from dva_lens.app.many import serve_many  # pyright: ignore[reportMissingImports]

        serve_many(folder, port, workers)
        return
    with suppress(KeyboardInterrupt):  # the server takes most interrupts for itself and returns
        serve(app, port)
    typer.echo("Explorer stopped.", err=True)
    leave()


def _write_pages(
    folder: Path | None, out: Path, runs: Sequence[str], statistics: Sequence[str], *, alone: bool
) -> None:
    """Write the explorer of an archive as files."""
    if folder is None or not alone:
        raise typer.BadParameter(
            "--static writes the pages of an archive: pass its folder, and neither --model nor "
            "--workers"
        )
    opened(folder)
    from dva_lens.app.offline import export  # pyright: ignore[reportMissingImports] - a mapped folder
    from dva_lens.cli.progress import counted

    with counted("writing pages", "parts") as tell:
        written = export(folder, out, runs=runs, statistics=statistics, tell=tell)
    typer.echo(
        f"Pages: {out / 'index.html'} ({written.pages} pages, {written.states:,} figures and "
        f"texts, {written.size / 1e6:.1f} MB)"
    )


@contextmanager
def _no_garbage_yet() -> Iterator[None]:
    """Put off looking for garbage while modules are imported, all of which stays.

    Looking takes an eighth of the time to the first answer.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def opened(folder: Path) -> "Archive":
    """Open an archive; say what is left out of it, and what an older one calls otherwise."""
    from dva_lens.results.archive import open_archive

    archive = open_archive(folder)
    show_left_out(archive.unreadable.values())
    if archive.former_names:
        typer.echo(archive.former_names, err=True)
    return archive


def show_left_out(reasons: Iterable[str]) -> None:
    """Say which measurements cannot be read and so stay out of what is shown."""
    for reason in dict.fromkeys(reasons):
        typer.echo(f"Left out: {reason}", err=True)
