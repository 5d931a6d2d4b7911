"""The explorer as a program: put together from an archive and the pages, and served locally."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import NoReturn

from dash import Dash
from flask import redirect, request
from waitress.server import create_server
from werkzeug.wrappers import Response

from dva_lens.results.archive import Archive, open_archive

from . import callbacks
from .components.frame import frame
from .downloads import serve_downloads
from .guard import HOST, guard
from .layout import page_at
from .pages import PAGES
from .scheme import ICON, SCHEME
from .search_index import search_index
from .workbench import Workbench

WARM = "dva-lens-warm"
"""Under this name an explorer leaves a function that reads what its first page shows."""

BENCH = "dva-lens-bench"
"""Under this name it leaves what it can run, which is closed when the server stops."""

NO_ARCHIVE = "live runs"
"""What the folder is called where there is none."""

SEVERAL = (
    "Live needs an explorer of one process, because a run of one process is unknown to the "
    "others; start it without --workers."
)

QUEUE = "waitress.queue"
"""The logger of the server that warns of every call that has to wait."""

_INDEX = (
    """<!doctype html>
<html lang="en">
  <head>
    {%metas%}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{%title%}</title>
    <script>"""
    + SCHEME
    + """</script>
    """
    + ICON
    + """
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <noscript>The explorer needs JavaScript; all of it is served from here.</noscript>
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>"""
)


def create_app(
    folder: Path | str | None, *, models: Sequence[str] = (), several: bool = False
) -> Dash:
    """Return the explorer of the archive in a folder; several may live in one process.

    Models can be run on texts that readers type: those that the archive kept, and `models`,
    which are named as `dva_lens.load` names them. Without a folder only these are offered. Where
    this is one of `several` processes of a server, none are: a run of one is unknown to others.

    Raises
    ------
    ArchiveError
        The folder holds no archive, or none of its runs can be read.
    FileNotFoundError
        A model is named by a path, and nothing is there.
    """
    archive = Archive(Path(NO_ARCHIVE), (), {}) if folder is None else open_archive(folder)
    bench = Workbench(archive, models, why_not=SEVERAL if several else "")
    app = Dash(
        "dva_lens.app",
        title="dva-lens",
        update_title="",
        assets_folder=str(Path(__file__).parent / "assets"),
        index_string=_INDEX,
        serve_locally=True,
        use_pages=False,
        suppress_callback_exceptions=True,
        enable_mcp=False,
    )
    names = [(page.path, page.name) for page in PAGES.values()]
    framed = lru_cache(maxsize=1)(
        lambda library: frame(names, library.catalogue, search_index(library))
    )
    app.layout = lambda: framed(bench.library)
    callbacks.register(app, bench)
    for page in PAGES.values():
        if page.connect is not None:
            page.connect(app, bench)
    serve_downloads(app.server, bench)
    guard(app, SCHEME, pages=PAGES)
    _open_on_live(app, bench)
    app.server.extensions[WARM] = lambda: page_at(bench.library, "/", "")
    app.server.extensions[BENCH] = bench
    return app


def _open_on_live(app: Dash, bench: Workbench) -> None:
    """Lead who opens the explorer to Live while there is nothing else to see."""

    @app.server.before_request
    def _lead() -> Response | None:
        if request.path == "/" and not bench.library.catalogue.runs:
            return redirect("/live")
        return None


def serve(app: Dash, port: int = 8050) -> None:
    """Serve the explorer on this machine until it is interrupted or asked to end.

    What it runs ends with it. That calls wait for one another is usual where figures are drawn,
    and no line on the terminal.
    """
    check_port(port)
    logging.getLogger(QUEUE).setLevel(logging.ERROR)
    warm = threading.Thread(target=app.server.extensions.get(WARM), name=WARM, daemon=True)
    warm.start()
    server = create_server(app.server, host=HOST, port=port, threads=8, ident=None)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        server.run()
    finally:
        signal.signal(signal.SIGTERM, before)
        server.close()
        close(app)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  as signals call it
    """Leave by way of everything that cleans up."""
    sys.exit(0)


def close(app: Dash) -> None:
    """End what an explorer runs and delete what it left."""
    app.server.extensions[BENCH].close()


def leave() -> None:
    """End the process at once if the first page is still being made, which writes nothing.

    A thread that reads while the interpreter shuts down ends in a traceback, and waiting for it
    takes seconds.
    """
    if any(thread.name == WARM for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def check_port(port: int) -> None:
    """Refuse a port that cannot be listened on, and say what to do.

    Raises
    ------
    OSError
        The port is busy or reserved.
    ValueError
        `port` does not lie between 1 and 65535.
    """
    if not 0 < port < 1 << 16:
        raise ValueError(f"port must be between 1 and 65535, got {port}.")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except PermissionError as error:
            raise OSError(
                f"Port {port} is reserved on this machine; pass a port above 1023."
            ) from error
        except OSError as error:
            raise OSError(
                f"Port {port} is busy, perhaps with another explorer; "
                f"pass another one, such as --port {port + 1}."
            ) from error
