"""`dva-lens report` and `dva-lens explore`: the two ways to look at an archive."""

import errno
import socket
from pathlib import Path
from typing import Annotated

import typer

HOST = "127.0.0.1"
THREADS = 8

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")]


def report(
    folder: Folder,
    *,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    figures: Annotated[
        bool, typer.Option("--figures", help="Write each figure as SVG, PDF and CSV too.")
    ] = False,
) -> None:
    """Write one page that needs nothing else: figures, tables and methods of an archive.

    Example: dva-lens report runs/quick --out report.html
    """
    from dva_lens.reports.report import write_report
    from dva_lens.store.archive import open_archive

    warn_of_unreadable(open_archive(folder).unreadable)
    written = write_report(folder, out, figures=figures)
    typer.echo(f"Report: {written}")


def explore(
    folder: Folder,
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8050,
) -> None:
    """Open the explorer of an archive in a browser on this machine, until Ctrl-C.

    Example: dva-lens explore runs/quick --port 8050
    """
    from dva_lens.store.archive import open_archive

    warn_of_unreadable(open_archive(folder).unreadable)
    listening = _listen(port)
    try:
        _serve(folder, listening, port)
    finally:
        listening.close()


def warn_of_unreadable(unreadable: object) -> None:
    """Name the groups that are left out because they cannot be read."""
    if isinstance(unreadable, dict) or hasattr(unreadable, "values"):
        for reason in unreadable.values():  # type: ignore[union-attr]
            typer.echo(f"Left out: {reason}", err=True)


def _serve(folder: Path, listening: socket.socket, port: int) -> None:
    import waitress

    from dva_lens.app import create_app

    server = create_app(folder).server
    typer.echo(f"Explorer of {folder}: http://{HOST}:{port} (Ctrl-C stops it)")
    try:
        waitress.serve(server, sockets=[listening], threads=THREADS, _quiet=True)
    except KeyboardInterrupt:
        typer.echo("Explorer stopped.", err=True)


def _listen(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise RuntimeError(
            f"Port {port} is taken or not allowed; choose another with --port."
        ) from error
    return found
