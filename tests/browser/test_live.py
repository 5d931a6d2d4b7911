"""A text is typed, run, followed, and looked at; a change stands beside its control."""

import re

import numpy as np
import pytest
from dva_lens.app.pages.live import names
from fake_edges import fake_pattern
from fake_live import fake_live, leave
from fakes import fake_archive
from tabs import asked, said, served

pytestmark = pytest.mark.browser

CALLS = re.compile("_dash-update-component")
TEXT = 'To be <img src=x onerror="document.title=1"> \u202eor\nnot to be.'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("archive"), ("transformer",), 1, edges=True)


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    left = leave(tmp_path_factory.mktemp("left"))
    with served(folder, lambda app: fake_live(app, left)) as found:
        yield found


def test_a_typed_text_is_run_and_looked_at_and_is_still_there_at_hand_on_return(page, visit):
    visit("/live")
    page.locator("#live-run").click()
    page.get_by_text("There is no text yet").wait_for()
    box = page.locator("#live-text")
    box.fill(TEXT)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/tokens**")
    page.locator(".chip, .chips-note").first.wait_for()
    assert (said(page)["run"], said(page)["text"]) == ("gpt2 · live 1", "live-1")
    assert said(page)["layer"] == "1"  # where the first key gets most
    page.locator("[data-headmove]").press("ArrowUp")  # the sizes of a new run are known
    page.wait_for_url("**layer=0**")
    page.go_back()
    page.wait_for_url("**layer=1**")
    page.go_back()
    page.get_by_role("link", name="gpt2 · live 1", exact=True).wait_for()
    assert box.input_value() == TEXT
    assert page.get_by_role("link", name="live 2").count() == 0  # coming back runs nothing


def places(page):
    """Return where everything is that can be clicked, but in what arrives later."""
    return page.evaluate("""() => [...document.querySelectorAll(
        ".page-main :is(button, input, textarea)")]
        .filter(each => !each.closest("#live-results, #live-state"))
        .map(each => [each.id || each.textContent, each.getBoundingClientRect().top + scrollY])""")


def test_what_was_run_before_moves_nothing_when_it_arrives(page, visit):
    held, is_due = [], True

    def hold(route):
        found = is_due and names.RESULTS in (route.request.post_data or "")
        held.append(route) if found else route.continue_()

    page.route(CALLS, hold)
    visit("/live")
    page.get_by_role("button", name="Start from it: sequence 1").wait_for()
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    before = places(page)
    assert len(before) > 10
    assert held, "what was run before is asked for"
    is_due = False
    for route in held:
        route.continue_()
    page.locator("#live-results li, #live-results p").first.wait_for()
    assert places(page) == before
    page.unroute(CALLS)


def test_a_text_stands_beside_the_one_before_it_and_a_link_leads_to_both(page, visit, in_the_way):
    visit("/live?run=transformer-0&model=gpt2")
    for text in ("One text.", "Another text."):
        page.locator("#live-text").fill(text)
        page.locator("#live-run").click()
        page.wait_for_url("**/tokens**")
        page.get_by_role("link", name="Change this text and run it on Live").click()
        page.wait_for_url("**/live**")
    columns = page.locator(".beside > div")
    columns.nth(1).wait_for()
    titles = columns.locator("h3").all_text_contents()
    assert len(titles) == 2
    assert titles[0] != titles[1]
    link, words = page.url, page.locator(".beside").inner_text()
    page.locator(".beside").press("ArrowUp")  # another head, in both
    page.wait_for_url("**layer=0**")
    page.get_by_text("Layer 0, head").first.wait_for()
    visit("/live")
    visit(link[link.index("/live") :])
    page.locator(".beside").wait_for()
    assert page.locator(".beside").inner_text() == words
    assert in_the_way() == []
    wide = page.viewport_size
    for width, is_stacked in ((390, True), (820, True), (821, False), (1920, False)):
        page.set_viewport_size({"width": width, "height": 900})
        one, other = (columns.nth(at).bounding_box() for at in range(2))
        assert (other["y"] >= one["y"] + one["height"]) == is_stacked
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size(wide)


LIT = """([side, direction]) => [...document.querySelectorAll(".beside .shaded")[side]
    .querySelectorAll(".token")].map((word, at) => [at, word.style.getPropertyValue(direction)])
    .filter(([, share]) => share).map(([at]) => at)"""
"""Which tokens of one of two texts are coloured in a direction."""


LAYER, HEAD, KEPT = 2, 1, 16
ONLY = 9
"""The one token that differs between the two texts."""


@pytest.fixture
def two(page, visit):
    """Two texts of the archive side by side, which differ in one token."""
    place = f"run=transformer-0&text=held-out&layer={LAYER}&head={HEAD}"
    visit(f"/live?{place}&beside=1 of held-out, transformer-0")
    texts = page.locator(".beside .shaded")
    texts.nth(1).wait_for()
    page.wait_for_load_state("networkidle")
    page.evaluate(
        """only => document.querySelectorAll(".beside .shaded").forEach((text, side) =>
            text.querySelectorAll(".token").forEach((word, at) => {
                word.textContent = at === only ? `only ${side}` : `word ${at}`; }))""",
        ONLY,
    )
    return texts


def edges_of(pattern, token):
    """Return the tokens that one looks at and those that look at it, of the edges kept."""
    largest = np.argsort(-pattern, axis=-1, kind="stable")[:, :KEPT]
    kept = np.zeros(pattern.shape, dtype=bool)
    np.put_along_axis(kept, largest, True, -1)
    kept &= pattern > 0
    return [np.flatnonzero(each).tolist() for each in (kept[token], kept[:, token])]


def test_a_token_of_two_texts_shows_in_both_where_it_looks(page, two):
    length = two.first.locator(".token").count()
    with asked(page) as calls:
        two.nth(1).locator(".token").nth(20).hover()
        page.locator(".beside .looking .token.pointed").nth(1).wait_for()
        lit = [[page.evaluate(LIT, [side, to]) for to in ("--out", "--in")] for side in (0, 1)]
    assert calls == []
    for side in (0, 1):
        assert lit[side] == edges_of(fake_pattern(LAYER, HEAD, side, length), 20)
        spoken = page.locator(".beside-said").nth(side).text_content()
        assert spoken.startswith("Token 20 word 20: looks at token ")


def test_a_token_of_two_texts_is_locked_and_walked_from(page, two):
    spoken = page.locator(".beside-said")
    two.nth(1).locator(".token").nth(ONLY).click()
    assert spoken.first.text_content() == "This text has no such token."
    assert spoken.nth(1).text_content().startswith(f"Token {ONLY} only 1: looks at token ")
    two.first.locator(".token").nth(20).hover()  # what is locked stays
    assert page.locator(".beside .token.locked").count() == 1
    for key, at in (("Home", 0), ("ArrowRight", 1)):
        two.first.press(key)
        page.wait_for_url(f"**token={at}**")
    assert page.locator(".beside .token.locked").count() == 2
    assert (said(page)["layer"], said(page)["head"]) == (str(LAYER), str(HEAD))
    two.first.press("Escape")
    page.wait_for_url("**token=none**")
    assert page.locator(".beside .token.locked, .beside .token.lit").count() == 0


def test_a_change_is_chosen_made_and_shown_token_by_token(page, visit):
    visit("/live")
    box = page.get_by_label("Text", exact=True)
    box.fill("Some text.")
    page.get_by_role("textbox", name="What to change").click()
    page.get_by_role("option", name="drop head").click()
    page.wait_for_url("**change=drop-head**")
    page.get_by_role("button", name="Make the change").click()
    page.get_by_text("loss is higher than with its control").wait_for()
    page.get_by_text("Token by token").click()
    page.locator(".live-tokens .raised", has_text="⟨U+202E⟩").wait_for()
    page.get_by_role("button", name="Look at this pair").click()
    page.get_by_text("uniform over 6 visible keys").wait_for()
    page.get_by_role("button", name="Add another text").click()
    assert box.input_value() == "Some text.\n<|endoftext|>\n"
    page.get_by_role("button", name="Start from it: sequence 1").click()
    page.wait_for_function("document.getElementById('live-text').value.length > 100")
    assert page.title() == "Live · dva-lens"
