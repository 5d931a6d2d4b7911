"""What the exported files are called, and which scripts and styles of the explorer they need."""

from ..page import Page

DATA = "data"
"""The folder of what parts show, as scripts: pages on a disk may load no other files."""
PROGRAM = "program"
"""The folder of scripts and styles."""
CHOICES = f"{DATA}/choices.js"
"""What can be chosen, and where what a part shows is found; it also marks a folder as ours."""
PLOTLY = "plotly.min.js"
OWN = ("offline.js", "offline.css")
SCRIPTS = (
    "lens.js",
    "markup.js",
    "tables.js",
    "looked_text.js",
    "tokens.js",
    "brush.js",
    "scrubber.js",
    "inspector.js",
)
STYLES = (
    "lens.css",
    "tables.css",
    "tokens.css",
    "brush.css",
    "scrubber.css",
    "inspector.css",
    "about.css",
)


def file_of(page: Page) -> str:
    """Return the name of a page's file."""
    return f"{page.path.strip('/') or 'index'}.html"
