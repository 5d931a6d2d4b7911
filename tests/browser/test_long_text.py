"""A text of 16,384 tokens in the browser, and an image: shown, pointed at, and locked."""

import pytest
from fake_edges import SINK_LAYER, SPARSE, with_edges, with_sparse_edges
from fakes import fake_measurement, run_attrs
from tabs import FITS

from dva_lens.results.writer import write_run

pytestmark = pytest.mark.browser

LENGTH = 16_384
ROWS, COLUMNS = 7, 9
SHOWN = 16_378
"""Tokens of the first sequence, which is a little shorter than the longest could be."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("archive")
    sizes = {"layers": 1, "heads": 1, "sequences": 1, "length": LENGTH - 1}
    data = with_sparse_edges(fake_measurement("long", keep_queries=True, **sizes))
    attrs = run_attrs("long", 0, order=0, heads=1)
    write_run(place, "key", attrs=attrs, measurements={"held-out": data})
    image = with_edges(fake_measurement("image", keep_queries=True, length=ROWS * COLUMNS + 1))
    image = image.assign_attrs(patch_rows=ROWS, patch_columns=COLUMNS, patch_first=1)
    attrs = run_attrs("image", 0, order=1, heads=4)
    write_run(place, "image", attrs=attrs, measurements={"held-out": image})
    return place


def test_every_token_of_a_long_text_can_be_pointed_at_and_locked(page, visit):
    visit("/tokens?run=long-0")
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


def test_patches_of_an_image_are_pointed_at_where_they_stand_and_its_sink_is_marked(page, visit):
    visit(f"/tokens?run=image-0&layer={SINK_LAYER}&head=0")
    page.locator(".chip").first.wait_for()
    patches = page.locator(".shaded.patches .token")
    boxes = [patches.nth(at).bounding_box() for at in (1, COLUMNS, COLUMNS + 1)]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"]
    assert boxes[0]["x"] == boxes[2]["x"] < boxes[1]["x"]
    assert boxes[0]["width"] == pytest.approx(boxes[0]["height"], abs=1)
    assert page.locator(".patches .token.sink").count() == page.locator(".chip").count()
    assert "sink" in patches.first.get_attribute("class")  # the extra token receives half
    patches.nth(COLUMNS + 1).click()
    page.get_by_text("Looks at", exact=True).wait_for()
    page.wait_for_url(f"**token={COLUMNS + 1}&**")
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(FITS)
    page.set_viewport_size({"width": 1400, "height": 1000})
