"""Two views of tokens on one page, as a notebook shows them: pointed at, held, another head."""

import numpy as np
import pytest
from fake_edges import SINK_LAYER, fake_pattern, with_edges
from fakes import fake_measurement

from dva_lens.views.inline import token_view

pytestmark = pytest.mark.browser
LAYER, HEAD = SINK_LAYER, 3


@pytest.fixture
def opened(browser, tmp_path):
    """A page with two views; afterwards nothing may have gone out or wrong."""
    data = with_edges(fake_measurement("gpt", keep_queries=True))
    views = [token_view(data, layer=LAYER, head=HEAD), token_view(data, layer=0, sequence=1)]
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html>{''.join(each.html for each in views)}", encoding="utf-8")
    context = browser.new_context(viewport={"width": 1100, "height": 1400})
    page, outside, errors = context.new_page(), [], []
    page.on("request", lambda sent: outside.append(sent.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    yield page, page.locator(".lens-inline")
    assert outside == [path.as_uri()]
    assert not errors
    context.close()


def rows(view, table):
    listed = view.locator(".lens-read table").nth(table).locator("tr")
    cells = [row.locator("td").all_text_contents() for row in listed.all()]
    return [(int(cell[0]), float(cell[2])) for cell in cells if len(cell) > 2]


def token(view, at):
    return view.locator(".lens-token").nth(at)


def test_a_token_that_is_pointed_at_lists_exact_weights(opened):
    page, views = opened
    one, other = views.nth(0), views.nth(1)
    pattern = fake_pattern(LAYER, HEAD, 0, 64)
    token(one, 40).hover()
    keys, weights = zip(*rows(one, 0), strict=True)
    due = np.argsort(-pattern[40])[:8]
    assert list(keys) == due.tolist()
    assert list(weights) == pytest.approx(pattern[40][due], rel=5e-4)
    assert all(
        weight == pytest.approx(pattern[query, 40], rel=5e-4) for query, weight in rows(one, 1)
    )
    assert "lens-pinned" in token(one, 0).get_attribute("class")
    assert "Sinks" in one.locator(".lens-sinks").text_content()
    assert other.locator(".lens-read table").count() == 0  # the other view is its own
    page.mouse.move(1090, 1390)
    assert one.locator(".lens-read table").count() == 0


def test_another_head_keeps_the_token_that_is_held(opened):
    _, views = opened
    other = views.nth(1)
    token(other, 30).click()
    for layer, head in ((0, 2), (3, 2)):
        other.locator(".lens-layer").select_option(str(layer))
        other.locator(".lens-head").select_option(str(head))
        key, weight = rows(other, 0)[0]
        row = fake_pattern(layer, head, 1, 64)[30]
        assert key == row.argmax()
        assert weight == pytest.approx(row.max(), rel=5e-4)
    other.locator(".lens-text").press("ArrowRight")
    assert "Token 31" in other.locator(".lens-read").text_content()
    other.locator(".lens-text").press("Escape")
    assert other.locator(".lens-read table").count() == 0
