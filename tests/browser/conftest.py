"""A real browser that is cut off from every network, with a tab on the explorer of a module.

A module that uses the tab has a fixture `folder`: the archive that is explored.
"""

import os
from pathlib import Path

import pytest
from dva_lens.analyses.benchmarks.chromium import CHROMIUM, FLAGS
from tabs import NOWHERE, served, watched

AXE = (Path(__file__).parent / "vendored" / "axe.min.js").read_text("utf-8")
CHECK = """async () => (await axe.run({resultTypes: ['violations']})).violations.flatMap(found =>
    found.nodes.map(node => `${found.id}: ${node.html.slice(0, 160)} (${node.failureSummary})`))"""


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


@pytest.fixture(scope="module")
def address(folder):
    """Serve the explorer of the module's archive, and return where."""
    with served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser, address):
    """One tab for all tests, so that scripts are fetched and compiled once; and what it did."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, base_url=address)
    page, outside, errors = watched(context, address)
    page.goto("/")
    yield page, outside, errors
    context.close()


@pytest.fixture
def page(tab):
    """The tab; after each test nothing may have gone out and nothing gone wrong."""
    opened, outside, errors = tab
    yield opened
    assert not outside, f"asked for from elsewhere: {outside}"
    assert not errors, f"said in the console: {errors}"


@pytest.fixture
def in_the_way(page):
    """Return a function that says what of the page as it is keeps readers out, in both themes."""

    def look(*themes):
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE)
        found = []
        for theme in themes or ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            page.locator(f"html[data-mantine-color-scheme={theme}]").wait_for()
            found += [f"{theme}: {each}" for each in page.evaluate(CHECK)]
        return found

    return look


@pytest.fixture
def visit(page):
    """Return a function that follows an address within the running explorer, as its links do.

    It goes by a page that is not there, so that nothing of the page before is left.
    """

    def follow(path):
        for address, arrived in (("/nowhere", NOWHERE), (path, ".controls")):
            page.evaluate(
                """address => {
                    history.pushState({}, "", address);
                    dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
                }""",
                address,
            )
            page.locator(arrived).first.wait_for()

    return follow
