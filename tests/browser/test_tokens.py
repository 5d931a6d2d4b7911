"""Where a token looks: pointed at, locked, walked through, touched, and sent to somebody else."""

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from fake_edges import SINK_LAYER, fake_pattern
from fakes import fake_archive
from tabs import asked, said, watched

import dva_lens as lens

pytestmark = pytest.mark.browser

LAYER, HEAD, LONG, COUNT = SINK_LAYER, 3, 64, 16
PAGE = f"/tokens?run=transformer-0&layer={LAYER}&head={HEAD}"
TABLES = ".look-table"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edged")
    return fake_archive(folder, ("transformer", "resformer-identity"), 1, edges=True)


@pytest.fixture(scope="module")
def pattern():
    return fake_pattern(LAYER, HEAD, 0, LONG)


def kept(pattern):
    """Return where queries keep the edge to a key."""
    found = np.zeros(pattern.shape, dtype=bool)
    np.put_along_axis(found, np.argsort(-pattern, axis=-1, kind="stable")[:, :COUNT], True, -1)
    return found & (pattern > 0)


def token(page, at):
    return page.locator(".shaded .token").nth(at)


def coloured(page, side):
    """Return how strongly tokens are coloured on a side, by token."""
    return page.evaluate(
        """side => Object.fromEntries([...document.querySelectorAll(".shaded .token")]
            .map((word, at) => [at, word.style.getPropertyValue(`--${side}`)])
            .filter(([, share]) => share).map(([at, share]) => [at, parseInt(share)]))""",
        side,
    )


def listed(page, name):
    """Return a list of the locked token as rows of text."""
    table = page.locator(TABLES).filter(has=page.get_by_text(name, exact=True))
    return [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]


def ready(page):
    page.locator(".chip, .chips-note").first.wait_for()


def test_pointing_at_a_token_shows_both_directions_without_asking_the_server(page, visit, pattern):
    visit(PAGE)
    ready(page)
    page.wait_for_load_state("networkidle")
    with asked(page) as calls:
        token(page, 30).hover()
        page.locator(".looking .token.pointed").wait_for()
        out, into, edges = coloured(page, "out"), coloured(page, "in"), kept(pattern)
    assert calls == []
    assert {int(at) for at in out} == set(np.flatnonzero(edges[30]))
    assert {int(at) for at in into} == set(np.flatnonzero(edges[:, 30]))
    rest = np.where(edges[30], pattern[30], 0.0)
    rest[0] = 0.0
    assert max(out, key=lambda at: (int(at) > 0) * out[at]) == str(rest.argmax())
    assert page.locator(".token.pinned").count() == 1
    page.mouse.move(700, 5)
    page.locator(".shaded:not(.looking)").wait_for()
    assert coloured(page, "out") == {}


def test_a_click_locks_a_token_and_lists_exact_weights(page, visit, pattern):
    visit(PAGE)
    ready(page)
    token(page, 40).click()
    page.locator(".token.locked").wait_for()
    page.wait_for_url("**token=40**")
    rows, order = listed(page, "Looks at"), np.argsort(-pattern[40])[:COUNT]
    assert [int(row[0]) for row in rows] == order.tolist()
    assert [float(row[2]) for row in rows] == pytest.approx(pattern[40][order], rel=1e-3)
    by = [(float(row[2]), int(row[0])) for row in listed(page, "Looked at by")]
    due = [(pattern[at, 40], at) for at in np.flatnonzero(kept(pattern)[:, 40])]
    assert [at for _, at in by] == [at for _, at in sorted(due, reverse=True)][:COUNT]
    missing = 1 - pattern[40][order].sum()
    assert f"{missing:.3g}"[:4] in page.locator(".look-lists .caption").first.text_content()
    assert "Token 40" in page.locator(".look-said").text_content()
    token(page, 10).hover()  # what is locked stays
    assert token(page, 40).get_attribute("class").endswith("locked")


def test_escape_frees_and_back_locks_again(page, visit):
    visit(PAGE)
    ready(page)
    token(page, 12).click()
    page.wait_for_url("**token=12**")
    page.keyboard.press("Escape")
    page.wait_for_url("**token=none**")
    assert page.locator(TABLES).count() == 0
    page.go_back()
    page.locator(".token.locked").wait_for()
    assert said(page)["token"] == "12"
    page.get_by_role("button", name="Free").click()
    page.wait_for_url("**token=none**")


def test_arrow_keys_walk_through_the_text(page, visit):
    visit(PAGE)
    ready(page)
    page.locator(".shaded").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="Token 2").wait_for()
    page.keyboard.press("End")
    page.get_by_role("heading", name=f"Token {LONG - 1}").wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.get_by_role("heading", name="Token 0").wait_for()
    page.wait_for_url("**token=0**")


@pytest.mark.parametrize("key", ["End", "Home"])
def test_a_token_that_is_walked_to_stands_clear_of_the_frame_and_the_bar(page, visit, key):
    wide = page.viewport_size
    page.set_viewport_size({"width": 820, "height": 330})
    try:
        visit(PAGE)
        ready(page)
        token(page, LONG // 2).click()
        page.locator(".shaded").focus()
        page.keyboard.press(key)
        page.wait_for_url(f"**token={LONG - 1 if key == 'End' else 0}**")
        covered = page.evaluate("""() => {
            const box = document.querySelector(".token.locked").getBoundingClientRect();
            const at = (x, y) => document.elementFromPoint(x, y)?.closest(".shaded");
            return ![box.top + 1, box.bottom - 1].every((y) => at(box.left + 2, y));
        }""")
        assert not covered
    finally:
        page.set_viewport_size(wide)


def test_a_pinned_key_is_a_chip_that_tells_what_each_token_gives_it(page, visit, pattern):
    visit(PAGE)
    chip = page.locator(".chip")
    chip.wait_for()
    assert float(chip.locator(".chip-mass").text_content()) == pytest.approx(
        pattern[15:, 0].mean(), rel=1e-2
    )
    token(page, 20).hover()
    given = chip.locator(".chip-from").text_content()
    assert float(given.split()[0]) == pytest.approx(pattern[20, 0], rel=1e-3)
    chip.click()
    page.get_by_role("heading", name="Token 0").wait_for()


def test_an_address_holds_the_token_and_the_mode(page, visit, pattern):
    visit(f"{PAGE}&token=33&mode=excess")
    page.get_by_role("heading", name="Token 33").wait_for()
    first = listed(page, "Looks at")[0]
    weight = pattern[33].max()
    assert float(first[2]) == pytest.approx(weight, rel=1e-3)
    assert float(first[-1]) == pytest.approx(weight - 1 / 34, rel=1e-3)


def test_modes_show_the_same_edges_otherwise(page, visit, pattern):
    visit(f"{PAGE}&token=33")
    page.get_by_role("heading", name="Token 33").wait_for()
    page.get_by_role("textbox", name="Shown as").click()
    page.get_by_role("option", name="sinks removed").click()
    page.wait_for_url("**mode=sink-removed**")
    page.get_by_role("columnheader", name="of the rest").first.wait_for()
    rows = listed(page, "Looks at")
    assert "0" not in [row[0] for row in rows]
    best = pattern[33][1:].max() / (1 - pattern[33][0])
    assert float(rows[0][-1]) == pytest.approx(best, rel=1e-3)
    page.get_by_role("textbox", name="Shown as").click()
    page.get_by_role("option", name="value weighted").click()
    page.wait_for_url("**mode=value-weighted**")
    rows = listed(page, "Looks at")
    assert int(rows[0][0]) == 1 + pattern[33][1:].argmax()  # the sink writes little


def test_another_head_keeps_the_token(page, visit):
    visit(f"{PAGE}&token=21")
    page.get_by_role("heading", name="Token 21").wait_for()
    before = listed(page, "Looks at")
    page.get_by_role("textbox", name="Head").click()
    page.get_by_role("option", name="1", exact=True).click()
    page.wait_for_url("**head=1**")
    other = fake_pattern(LAYER, 1, 0, LONG)[21]
    page.locator(TABLES).first.get_by_text(f"{other.max():.4g}").wait_for()
    assert listed(page, "Looks at") != before
    page.go_back()
    page.locator(TABLES).first.get_by_text(before[0][2]).first.wait_for()


def test_a_text_without_edges_says_so(page, visit):
    visit(f"{PAGE}&sequence=3&token=5")
    page.get_by_text("Edges were kept of sequences 0 to 1").first.wait_for()
    token(page, 5).hover()
    assert page.locator(".looking, .look-table, .chip").count() == 0
    assert token(page, 5).get_attribute("title").startswith("token 5: ")


def test_fingers_lock_and_free(browser, address):
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, base_url=address, has_touch=True
    )
    page, outside, errors = watched(context, address)
    page.goto(PAGE)
    ready(page)
    token(page, 9).tap()
    page.get_by_role("heading", name="Token 9").wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    token(page, 9).tap()
    page.locator(TABLES).first.wait_for(state="detached")
    context.close()
    assert width <= 390
    assert (outside, errors) == ([], [])


def test_four_questions_are_answered_from_the_first_page(page, visit, folder):
    """Which head has the strongest sink, on which token, drained or not, changed or not."""
    entries = lens.findings(lens.open_archive(folder)).entries
    sink = next(each for each in entries if each.verdict == "sink")
    change = next(each for each in entries if each.about == "change")
    visit("/")  # layer, head, token, drain and what changes are read without doing anything
    card = page.locator(".finding").filter(has_text=sink.words)
    assert f"layer {sink.numbers['layer']}, head {sink.numbers['head']}" in card.text_content()
    assert "Its value is" in card.text_content() or "undecided" in card.text_content()
    assert page.locator(".finding").filter(has_text=change.words).count() == 1
    card.get_by_role("link", name="See who looks at it").click()
    page.get_by_role("heading", name=f"Token {sink.numbers['position']}").wait_for()
    found = said(page)
    assert (found["run"], found["layer"], found["head"]) == tuple(
        str(sink.place[name]) for name in ("run", "layer", "head")
    )
    page.go_back()
    page.locator(".finding").filter(has_text=change.words).get_by_role("link").click()
    page.locator("table.contrasts").wait_for()
    assert urlsplit(page.url).path == "/compare"


def test_what_a_token_draws_from_is_followed_down_and_a_line_leads_to_its_head(page, visit):
    visit(f"{PAGE}&token=30&least=0.5")
    graph = page.locator("section[aria-label='Where a token draws from']")
    graph.get_by_text("token 30").wait_for()
    few = graph.locator(".scatterlayer .points path").count()
    graph.get_by_role("textbox", name="Lines carry at least").click()
    page.get_by_role("option", name="30%").click()
    page.wait_for_url("**least=0.3**")
    graph.get_by_text("at least 0.3 of what the head writes").wait_for()
    marks = graph.locator(".scatterlayer .points path")
    assert marks.count() > few
    marks.first.click(force=True)  # the strongest line
    page.wait_for_url(lambda url: f"layer={LAYER}&head={HEAD}" not in url)
    graph.get_by_role("button", name="Show as table").click()
    graph.locator("tbody tr").nth(1).wait_for()
    row = graph.locator("tbody tr").nth(1).locator("th, td").all_text_contents()
    said = parse_qs(urlsplit(page.url).query)
    assert (said["layer"], said["head"], said["token"]) == ([row[0]], [row[1]], [row[2]])
