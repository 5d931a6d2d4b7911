"""An accessibility checker finds nothing on any page, in any theme, width, or with a menu open.

`vendored/axe.min.js` is axe-core 4.14.1 (npm), under the Mozilla Public License 2.0, unchanged;
its licence stands beside it. What is looked at by default covers every page, theme, width and
menu; all combinations are looked at where DVA_LENS_ALL_VIEWS=1 is set.
"""

import itertools
import os

import pytest
from dva_lens.app.pages import PAGES
from fakes import fake_archive
from tabs import FITS

pytestmark = pytest.mark.browser

PATHS = (
    "/", "/heads", "/tokens", "/values", "/compare", "/training", "/live", "/about", "/nowhere",
)  # fmt: skip
THEMES = ("light", "dark")
WIDTHS = (390, 820, 1280, 1920)
MENUS = ("closed", "open")
WITHOUT_MENUS = ("/about", "/nowhere")
VIEWS = [
    view
    for view in itertools.product(PATHS, THEMES, WIDTHS, MENUS)
    if view[0] not in WITHOUT_MENUS or view[3] == "closed"
]
COVERING = [
    (path, THEMES[(at + step) % 2], WIDTHS[(at + 2 * step) % 4], menu)
    for at, path in enumerate(PATHS)
    for step, menu in enumerate(MENUS)
    if path not in WITHOUT_MENUS or menu == "closed"
]
LOOKED_AT = VIEWS if os.environ.get("DVA_LENS_ALL_VIEWS") == "1" else COVERING
NOWHERE = """() => {
    history.pushState({}, "", "/nowhere");
    dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return fake_archive(folder, models=("transformer", "dva"), edges=True)


def test_the_views_are_all_there_are():
    assert len(VIEWS) == 7 * 2 * 4 * 2 + 2 * 2 * 4 == 128
    assert {*PAGES} == {*PATHS} - {"/nowhere"}
    assert {*COVERING} <= {*VIEWS}
    for part, all_of_it in enumerate((PATHS, THEMES, WIDTHS, MENUS)):
        assert {view[part] for view in COVERING} == {*all_of_it}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_in_the_way_of_a_reader(page, visit, in_the_way, path):
    wide = page.viewport_size
    visit(path) if path != "/nowhere" else page.evaluate(NOWHERE)
    page.locator("h1").wait_for()
    found = []
    for _, theme, width, menu in (view for view in LOOKED_AT if view[0] == path):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        if menu == "open":
            page.locator(".controls input:visible").first.click()
            page.get_by_role("listbox").first.wait_for()
        found += [f"{width} {menu}, {each}" for each in in_the_way(theme)]
        page.wait_for_function(FITS)
        page.keyboard.press("Escape")
    page.set_viewport_size(wide)
    page.emulate_media(color_scheme="light")
    assert found == []
