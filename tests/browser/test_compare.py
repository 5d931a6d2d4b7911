"""Verdicts stand in sight beside what they are about, on a phone as on a wide screen."""

import pytest
from fakes import fake_archive

pytestmark = pytest.mark.browser

VERDICTS = "td.verdict, td:has(> .verdict)"
CLIPPED = """cells => [...document.querySelectorAll(cells)].filter(cell => {
    const box = cell.closest(".scroll").getBoundingClientRect();
    const own = cell.getBoundingClientRect();
    return own.left < box.left - 1 || own.right > box.right + 1;
}).map(cell => cell.parentElement.textContent)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("archive"), edges=True)


@pytest.mark.parametrize("width", [390, 820, 1280, 1920])
def test_no_verdict_is_out_of_sight(page, visit, width):
    wide = page.viewport_size
    page.set_viewport_size({"width": width, "height": 900})
    visit("/compare")
    page.locator("table.contrasts td.verdict").first.wait_for()
    page.locator("table.sorted .verdict").first.wait_for()
    assert page.evaluate(CLIPPED, VERDICTS) == []
    page.set_viewport_size(wide)
