"""The explorer served to a browser, and tabs that note what they ask for and what goes wrong."""

import threading
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

PATIENCE = 120_000
"""Milliseconds that a browser on a busy machine gets before it counts as stuck."""
NOWHERE = "h1:text('There is no such page')"
FITS = "() => document.documentElement.scrollWidth <= innerWidth"
"""Whether nothing is cut off; charts follow a change of the width in a moment."""


@contextmanager
def served(folder, prepare=lambda app: app, models=("openai/gpt2",)):
    """Serve the explorer of an archive on a free port; give its address."""
    from dva_lens.app import create_app
    from dva_lens.app.server import close
    from waitress import create_server

    app = prepare(create_app(folder, models=models))
    server = create_server(app.server, host="127.0.0.1", port=0, threads=4)

    def run():
        with suppress(OSError):  # closing takes the sockets away from under the loop
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    close(app)
    thread.join(timeout=5)


def watched(context, address):
    """Return a new tab, what it asks for from elsewhere, and what goes wrong in it."""
    context.set_default_timeout(PATIENCE)
    page, outside, errors = context.new_page(), [], []

    def note(request):
        if not request.url.startswith((address, "data:", "blob:")):
            outside.append(request.url)

    page.on("request", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return page, outside, errors


@contextmanager
def asked(page):
    """Note the requests that a page makes within the context: method and address of each."""
    calls = []

    def note(request):
        calls.append((request.method, request.url))

    page.on("request", note)
    try:
        yield calls
    finally:
        page.remove_listener("request", note)


def said(page):
    """Return what the address of a tab says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
