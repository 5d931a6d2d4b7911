"""The explorer as a program: put together from an archive and the pages, and served locally."""

import logging
import os
import socket
import sys
import threading
from functools import cache
from pathlib import Path

from dash import Dash
from waitress.server import create_server

from dva_lens.results.archive import open_archive

from . import callbacks
from .components.frame import frame
from .downloads import serve_downloads
from .guard import HOST, guard
from .layout import page_at
from .library import Library
from .pages import PAGES
from .search_index import search_index

WARM = "dva-lens-warm"
"""Under this name an explorer leaves a function that reads what its first page shows."""

QUEUE = "waitress.queue"
"""The logger of the server that warns of every call that has to wait."""

_SCHEME = (
    "(function(){var s='auto';try{s=localStorage.getItem('mantine-color-scheme-value')||s}"
    "catch(e){}var d=s==='dark'||(s==='auto'&&matchMedia('(prefers-color-scheme: dark)').matches);"
    "document.documentElement.setAttribute('data-mantine-color-scheme',d?'dark':'light')})()"
)
"""Runs before anything is drawn, so that a dark page does not flash white."""

_INDEX = (
    """<!doctype html>
<html lang="en">
  <head>
    {%metas%}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{%title%}</title>
    <script>"""
    + _SCHEME
    + """</script>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <noscript>The explorer needs JavaScript; all of it is served from here.</noscript>
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>"""
)


def create_app(folder: Path | str) -> Dash:
    """Return the explorer of the archive in a folder; several may live in one process.

    Raises
    ------
    ArchiveError
        The folder holds no archive, or none of its runs can be read.
    """
    library = Library(open_archive(folder))
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
    app.layout = cache(lambda: frame(names, library.catalogue, search_index(library)))
    callbacks.register(app, library)
    serve_downloads(app.server, library)
    guard(app, _SCHEME, pages=PAGES)
    app.server.extensions[WARM] = lambda: page_at(library, "/", "")
    return app


def serve(app: Dash, port: int = 8050) -> None:
    """Serve the explorer on this machine until it is interrupted.

    That calls wait for one another is usual where figures are drawn, and no line on the terminal.
    """
    check_port(port)
    logging.getLogger(QUEUE).setLevel(logging.ERROR)
    warm = threading.Thread(target=app.server.extensions.get(WARM), name=WARM, daemon=True)
    warm.start()
    server = create_server(app.server, host=HOST, port=port, threads=8, ident=None)
    try:
        server.run()
    finally:
        server.close()


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
