"""What the benchmark of the explorer times is what happens: heads change, tokens light up."""

import os
import re

import pytest
from dva_lens.analyses.benchmarks.explorer_browser import hovers, switches, visits
from dva_lens.analyses.benchmarks.explorer_server import Server
from fakes import fake_archive
from tabs import asked

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("archive"), models=("transformer",), edges=True)


def test_switches_hovers_and_visits_are_timed(browser, address):
    server = Server(address, os.getpid(), 0.0)
    walked = switches(browser, server, 3, layers=3, heads=4)
    assert len(walked.first) == len(walked.all_charts) == 3
    for first, last in zip(walked.first, walked.all_charts, strict=True):
        assert 0 < first <= last < 120_000
    assert walked.browser_milliseconds > 0
    assert len(hovers(browser, server, 2)) == 2
    seen = visits(browser, server, 1)
    assert seen.bundle_bytes > 10 * seen.page_bytes > 0


def test_marks_move_without_a_drawing_and_stand_where_a_drawing_puts_them(page, visit):
    visit("/heads?run=transformer-0&layer=1&head=1")
    plot = '[id*=\'"panel":"head-map"\'] .js-plotly-plot'
    page.locator(f"{plot} .shapelayer path").wait_for(state="attached")
    page.locator("[data-headgrid]").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Layer 1, head 2", exact=True).wait_for()
    page.wait_for_load_state("networkidle")
    page.evaluate("window.drew = false")
    page.evaluate(
        "plot => document.querySelector(plot).on('plotly_afterplot', () => window.drew = true)",
        plot,
    )
    page.keyboard.press("ArrowDown")
    page.get_by_role("heading", name="Layer 2, head 2", exact=True).wait_for()
    page.wait_for_function(
        "plot => document.querySelector(plot).layout.shapes[0].y0 === 1.5", arg=plot
    )
    place = "plot => document.querySelector(`${plot} .shapelayer path`).getBoundingClientRect()"
    moved = page.evaluate(place, plot)
    assert not page.evaluate("window.drew")
    page.evaluate("plot => Plotly.redraw(document.querySelector(plot))", plot)
    drawn = page.evaluate(place, plot)
    for side in ("x", "y", "width", "height"):
        assert abs(moved[side] - drawn[side]) < 0.6


def test_another_head_is_one_call_and_nothing_else(page, visit):
    visit("/heads?run=transformer-0&layer=1&head=1")
    page.locator("[data-headgrid]").focus()
    page.wait_for_load_state("networkidle")
    with asked(page) as calls:
        for key, name in (("ArrowRight", "Layer 1, head 2"), ("ArrowDown", "Layer 2, head 2")):
            page.keyboard.press(key)
            page.get_by_role("heading", name=name, exact=True).wait_for()
        page.wait_for_load_state("networkidle")
    assert [method for method, _ in calls] == ["POST", "POST"], calls


def test_words_that_are_filled_again_keep_focus_and_what_is_open(page, visit):
    visit("/heads?run=transformer-0&layer=1&head=1")
    page.get_by_text("Definition and source").click()
    link = page.locator(".finder a").nth(3)
    name = re.search(r"layer (\d), head (\d)", link.get_attribute("aria-label"))
    link.focus()
    page.keyboard.press("Enter")
    title = f"Layer {name[1]}, head {name[2]}"
    page.get_by_role("heading", name=title, exact=True).wait_for()
    assert page.evaluate("document.activeElement.closest('.finder') !== null")
    page.locator(".numbers.compact a").nth(2).click()
    page.locator(".numbers.compact tr.chosen", has=page.locator("a")).nth(0).wait_for()
    assert page.locator(".meaning details").get_attribute("open") is not None
