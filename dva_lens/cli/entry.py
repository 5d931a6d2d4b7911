"""The commands and the switches that all of them share."""

import io
import sys
from typing import Annotated

import typer

from dva_lens import __version__
from dva_lens.allocator import keep_freed_memory
from dva_lens.cli import (
    archive,
    compare,
    diagnose,
    doctor,
    export,
    intervene,
    listing,
    measure,
    pages,
    pair,
    pattern,
    standby,
    study,
)
from dva_lens.cli.guard import DEBUG, IMPORT, Guarded

app = typer.Typer(
    cls=Guarded,
    help="Measure where attention goes and how the value path shapes it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
studies = typer.Typer(
    help="Train small models under one recipe and measure them.", no_args_is_help=True
)
studies.command("run", short_help="Train and measure; repeat to resume.")(study.run)
app.add_typer(studies, name="study")
archives = typer.Typer(help="Say what an archive holds, or remove a run.", no_args_is_help=True)
archives.command("info", short_help="Runs, texts, sizes and versions.")(archive.info)
archives.command("remove", short_help="Remove a run and its checkpoint.")(archive.remove)
app.add_typer(archives, name="archive")
for name, command, about in (
    ("measure", measure.measure, "Measure models on a text."),
    ("intervene", intervene.intervene, "Change one thing in a model, beside a control."),
    ("pair", pair.pair, "Say what a query makes of one key, step by step."),
    ("pattern", pattern.pattern, "Say where one head looks, coarse or pair by pair."),
    ("compare", compare.compare, "Compare the models of an archive with a baseline."),
    ("report", pages.report, "Write a self-contained HTML report."),
    ("explore", pages.explore, "Explore an archive in the browser."),
    ("export", export.export, "Export an archive as tables."),
    ("list", listing.show, "List mechanisms, statistics, presets, studies or views."),
    ("doctor", doctor.doctor, "Check the installation."),
):
    app.command(name, short_help=about)(command)
app.command(
    "diagnose", short_help="Ask one model one question.", context_settings=diagnose.SETTINGS
)(diagnose.diagnose)
app.command("standby", hidden=True)(standby.standby)


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(__version__)
        raise typer.Exit
    return asked


@app.callback()
def shared(
    *,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show full tracebacks; allowed anywhere.")
    ] = False,
    module: Annotated[
        list[str] | None,
        typer.Option(
            IMPORT,
            metavar="MODULE",
            help="Import a plugin (MODULE or FILE.py); allowed anywhere, may be repeated.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Measure where attention goes and how the value path shapes it."""
    del debug, module, version  # `Guarded` takes two off the line, `version` has printed and left


def main() -> None:
    """Run the command line, in a process that keeps its memory.

    Names of files that are not UTF-8 are printed as the bytes they are made of.
    """
    keep_freed_memory()
    if isinstance(sys.stdout, io.TextIOWrapper):
        plain = sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if plain else "backslashreplace")
    app(prog_name="dva-lens")
