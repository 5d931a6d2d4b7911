"""Put the explorer together: an archive, the pages, the callbacks and the guard."""

from pathlib import Path

from dash import Dash

from dva_lens.results.archive import open_archive

from .callbacks import drawing, routing
from .components.shell import shell
from .numbers import serve_numbers
from .pages import PAGES
from .queries import Library
from .server import WARM, guard

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
    """Return the explorer of the archive in a folder; several may live in one process."""
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
    app.layout = shell([(page.path, page.name) for page in PAGES.values()], library.menu)
    routing.register(app, library)
    drawing.register(app, library)
    serve_numbers(app.server, library)
    guard(app, _SCHEME)
    app.server.extensions[WARM] = lambda: routing.page_at(library, "/", "")
    return app
