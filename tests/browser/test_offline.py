"""Exported pages in a browser, from a folder on the disk: all there is to choose, no server."""

import base64
import gzip

import pytest
from dva_lens.app.offline import export
from dva_lens.app.page import Panel, single_parts
from dva_lens.app.pages import PAGES as PAGES_BY_PATH
from fakes import fake_archive
from tabs import said, watched

pytestmark = pytest.mark.browser

PAGES = ("index", "heads", "tokens", "values", "compare", "training", "about")
PAGES_OF = {path.strip("/") or "index": page for path, page in PAGES_BY_PATH.items()}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = fake_archive(tmp_path_factory.mktemp("archive"), ("transformer",), 1, edges=True)
    place = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dva_lens.app.offline.exporting.SEQUENCES", 1)
        export(folder, place, statistics=("entropy", "first_key_mass"))
    return place


@pytest.fixture(scope="module")
def tab(browser, out):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page, outside, errors = watched(context, out.as_uri())
    yield page, outside, errors
    context.close()


@pytest.fixture
def visit(page, out):
    """Return a function that opens a page by its file and waits until it is drawn."""

    def follow(name):
        page.goto(f"{(out / 'index.html').as_uri().removesuffix('index.html')}{name}")
        page.locator(".page[data-drawn]").wait_for()

    return follow


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_without_a_server(page, visit, name):
    visit(f"{name}.html")
    assert page.locator(".lost-note").inner_text() == ""
    drawings = page.locator("[id^='{\"drawing\":']:not([hidden])")
    assert page.locator(".plot.js-plotly-plot").count() == drawings.count()
    panels = [part for part in single_parts(PAGES_OF[name].parts) if isinstance(part, Panel)]
    heights = {f"{panel.height}px" for panel in panels}
    for plot in page.locator(".plot.js-plotly-plot:visible").all():
        assert plot.evaluate("plot => getComputedStyle(plot).height") in heights
    current = page.locator("nav a[aria-current=page]")
    assert current.get_attribute("href").startswith(f"{name}.html?")


def test_keys_and_menus_choose_and_links_keep_what_was_chosen(page, visit):
    visit("heads.html")
    page.locator("[data-headgrid]").first.press("ArrowDown")
    page.get_by_text("Layer 1, head 0", exact=True).wait_for()
    assert said(page)["layer"] == "1"
    page.locator("select[id*=statistic]").select_option("first_key_mass")
    page.get_by_role("heading", name="Weight on the first key of every head").wait_for()
    page.get_by_role("button", name="Show as table: Map of layers by heads").click()
    page.locator("table.numbers caption", has_text="Map of layers by heads").wait_for()
    page.get_by_role("link", name="Tokens", exact=True).click()
    page.locator(".page-tokens[data-drawn]").wait_for()
    assert (said(page)["layer"], said(page)["statistic"]) == ("1", "first_key_mass")
    page.go_back()
    page.locator(".page-heads[data-drawn]").wait_for()


def test_a_token_shows_where_it_looks(page, visit):
    visit("tokens.html?layer=1")
    page.locator(".shaded .token").nth(5).click()
    page.get_by_text("Looks at", exact=True).wait_for()
    assert said(page)["token"] == "5"
    assert page.locator(".token.lit").count() > 1
    page.get_by_text("(token 63), from the last layer down").wait_for()
    assert page.locator(".lost-note").inner_text() == ""
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('.look-table')")


def test_what_was_not_exported_cannot_be_chosen(page, visit):
    visit("heads.html?statistic=value_drain&run=%3Cscript%3E&layer=99")
    assert said(page)["statistic"] == "entropy"
    assert said(page)["run"] == "transformer-0"
    assert page.locator("[data-choose].not-here[href]").count() == 0
    assert page.locator("[data-choose].not-here").count() > 0


def test_pages_that_were_mixed_with_others_say_so(page, visit, out):
    data = out / "data" / "findings.js"
    text = data.read_text()
    nothing = base64.b64encode(gzip.compress(b"{}")).decode()
    data.write_text(f'lensOffline.take("findings", "{nothing}");')
    try:
        visit("index.html")
        page.get_by_text("data/findings.js cannot be read or does not hold this choice").wait_for()
    finally:
        data.write_text(text)
