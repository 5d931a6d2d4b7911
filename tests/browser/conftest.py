"""A real browser that is cut off from every network."""

import os
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("LENS_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def without_a_browser(reason):
    """Skip, unless this machine promised a browser."""
    if os.environ.get("DVA_LENS_REQUIRE_BROWSER") == "1":
        pytest.fail(f"DVA_LENS_REQUIRE_BROWSER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        without_a_browser("playwright is not installed")
    if not Path(CHROMIUM).exists():
        without_a_browser(f"there is no browser at {CHROMIUM}; name one in LENS_CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()
