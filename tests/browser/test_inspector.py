"""One head beside every page, and a second one pinned to it."""

import re
from urllib.parse import urlsplit

import pytest
from fakes import WITHOUT, fake_archive
from tabs import asked, said

pytestmark = pytest.mark.browser

BOX = ".inspector"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    models = ("transformer", "resformer-identity", "causal-mean")
    return fake_archive(folder, models, 1, edges=True)


def shown(page, name):
    page.locator(f"{BOX} h2", has_text=re.compile(f"^{name}$")).wait_for()


def test_a_head_stays_beside_the_pages_and_moves_by_arrow_keys(page, visit):
    visit("/?run=transformer-0&layer=2&head=1")
    shown(page, "L2H1")
    page.locator("#inspector").focus()
    page.keyboard.press("ArrowRight")
    shown(page, "L2H2")
    page.locator("#spoken", has_text="Layer 2, head 2 of transformer-0").wait_for(state="attached")
    for name in ("Values", "Training", "Tokens"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        page.locator("nav [aria-current=page]", has_text=name).wait_for()
        shown(page, "L2H2")
    page.locator(BOX).get_by_role("link", name="Among heads").click()
    page.get_by_role("heading", name="Layer 2, head 2", exact=True).wait_for()
    assert (said(page)["layer"], said(page)["head"]) == ("2", "2")


def test_another_head_is_one_round_trip_wherever_it_is_chosen(page, visit):
    visit("/training?run=transformer-0&layer=1&head=1&pin=transformer-0.L0H0")
    shown(page, "L1H1")
    page.wait_for_load_state("networkidle")
    with asked(page) as calls:
        page.locator("#inspector").focus()
        page.keyboard.press("ArrowDown")
        shown(page, "L2H1")
        page.wait_for_load_state("networkidle")
    assert len([address for method, address in calls if method == "POST"]) == 1


def test_a_second_head_is_pinned_swapped_and_sent_by_its_address(page, visit):
    visit("/heads?run=transformer-0&layer=2&head=1")
    shown(page, "L2H1")
    page.get_by_role("link", name="Pin L2H1 of transformer-0").click()
    page.get_by_role("link", name="Unpin this head").wait_for()
    page.locator("#inspector").focus()
    page.keyboard.press("ArrowRight")
    shown(page, "L2H2")
    page.get_by_role("heading", name="Pinned: L2H1").wait_for()
    page.reload()
    page.get_by_role("heading", name="Pinned: L2H1").wait_for()
    page.get_by_role("link", name="Choose the pinned head and pin this one").click()
    shown(page, "L2H1")
    assert said(page)["pin"] == "transformer-0.L2H2"
    page.go_back()
    shown(page, "L2H2")
    page.get_by_role("link", name="Unpin L2H1 of transformer-0").click()
    page.locator(".pinned-card").wait_for(state="detached")


def test_an_edge_leads_to_its_token_in_the_text(page, visit):
    visit("/?run=transformer-0&layer=1&head=1")
    edge = page.locator(f"{BOX} .edges a").first
    words = edge.get_attribute("aria-label")
    token = re.search(r"token (\d+) looks", words)[1]
    edge.click()
    page.get_by_role("heading", name=re.compile(rf"^Token {token} ")).wait_for()
    assert urlsplit(page.url).path == "/tokens"
    assert said(page)["head"] == "1"


def test_where_it_is_narrow_a_bar_opens_it_and_escape_closes_it(page, visit):
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 800})
    visit("/?run=transformer-0&layer=2&head=1")
    bar = page.get_by_role("button", name="L2H1 transformer-0")
    bar.wait_for()
    hidden = page.locator("#inspector").is_hidden()
    bar.click()
    shown(page, "L2H1")
    opened = bar.get_attribute("aria-expanded")
    page.keyboard.press("Escape")
    page.locator("#inspector").wait_for(state="hidden")
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(wide)
    assert (hidden, opened, width) == (True, "true", 390)


def test_a_model_without_attention_says_so_once_and_draws_no_empty_map(page, visit):
    visit("/heads?run=causal-mean-0")
    said_once = f"Nothing attends in causal-mean-0: {WITHOUT}."
    page.locator(f"{BOX} .verdict-card", has_text=said_once).wait_for()
    head_map = page.locator(".missing[id*='head-map']")
    head_map.wait_for()
    assert head_map.text_content() == said_once
    assert page.locator("[id*='head-map'] .nsewdrag:visible").count() == 0
    assert page.get_by_text("no sink here").count() == 0
    visit("/heads?run=transformer-0&layer=2&head=1&pin=causal-mean-0.L0H0")
    page.locator(".pinned-card", has_text="Nothing attends in this model.").wait_for()
    page.locator("[id*='head-map'] .nsewdrag:visible").first.wait_for()
