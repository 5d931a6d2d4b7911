"""A text of 16,384 tokens in the browser: all of it shown, pointed at, and locked."""

import pytest
from fake_edges import SPARSE, with_sparse_edges
from fakes import fake_measurement, run_attrs

from dva_lens.results.writer import write_run

pytestmark = pytest.mark.browser

LENGTH = 16_384
SHOWN = 16_378
"""Tokens of the first sequence, which is a little shorter than the longest could be."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("archive")
    sizes = {"layers": 1, "heads": 1, "sequences": 1, "length": LENGTH - 1}
    data = with_sparse_edges(fake_measurement("long", keep_queries=True, **sizes))
    attrs = run_attrs("long", 0, order=0, heads=1)
    write_run(place, "key", attrs=attrs, measurements={"held-out": data})
    return place


def test_every_token_of_a_long_text_can_be_pointed_at_and_locked(page, visit):
    visit("/tokens")
    page.locator(".chip").first.wait_for()
    tokens = page.locator(".shaded .token")
    assert tokens.count() == SHOWN
    last = SHOWN - 1
    for at in (10, SHOWN // 2, last):
        tokens.nth(at).dispatch_event("pointerover", {"pointerType": "mouse"})
        assert "pointed" in tokens.nth(at).get_attribute("class")
        assert page.locator(".token.lit").count() > 1
    tokens.nth(last).dispatch_event("click")
    page.get_by_text("Looks at", exact=True).wait_for()
    page.wait_for_url(f"**token={last}&**")
    weights = page.locator(".look-table").first.locator("td.number").all_text_contents()
    assert float(weights[0]) == pytest.approx(SPARSE[0], rel=1e-3)
