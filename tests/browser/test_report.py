"""The report opened from disk: figures are drawn, nothing goes out, nothing goes wrong."""

import base64

import pytest
from fakes import fake_archive

from dva_lens.reports.report import write_report

pytestmark = pytest.mark.browser
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = fake_archive(tmp_path_factory.mktemp("study"), models=("transformer", "dva"))
    return write_report(folder, folder / "report.html")


@pytest.fixture
def open_report(browser, written):
    """Return a function that opens the report; afterwards nothing may have gone out or wrong."""
    contexts, outside, errors = [], [], []

    def note(request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            outside.append(request.url)

    def opened(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("request", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(written.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not outside
    assert not errors


def test_figures_are_drawn_with_bands_and_dotted_references(open_report):
    page = open_report(viewport={"width": 1200, "height": 900})
    plot = page.locator("#normalised-entropy-by-depth-plot")
    plot.locator(".legendtext").first.wait_for()
    assert plot.locator("path.js-fill").count() == 2
    assert plot.locator('.scatterlayer path.js-line[style*="stroke-dasharray: 3px"]').count() == 1
    assert plot.locator(".legendtext").all_text_contents() == [
        "uniform attention",
        "transformer",
        "dva",
    ]
    assert page.locator(".modebar-btn--logo").count() == 0
    assert (
        "cloud"
        not in " ".join(
            title or ""
            for title in page.eval_on_selector_all(
                ".modebar-btn", "buttons => buttons.map(b => b.getAttribute('data-title'))"
            )
        ).lower()
    )


def test_every_figure_is_drawn_once_it_comes_into_view(open_report):
    page = open_report(viewport={"width": 1200, "height": 900})
    for folded in page.locator("details.folded").all():
        folded.evaluate("part => { part.open = true }")
    plots = page.locator(".plot")
    for at in range(plots.count()):
        plots.nth(at).scroll_into_view_if_needed()
        plots.nth(at).locator(".main-svg").first.wait_for()


def test_a_figure_shows_its_numbers_and_gives_them_as_csv(open_report):
    page = open_report(viewport={"width": 1200, "height": 900})
    figure = page.locator("figure#sink-rate-by-threshold")
    figure.locator("summary").click()
    rows = figure.locator("tbody tr").count()
    link = figure.locator("a.csv").get_attribute("href")
    table = base64.b64decode(link.split(",", 1)[1]).decode()
    assert rows == table.count("\n") - 1 > 0


@pytest.mark.parametrize("scheme", PAPER)
def test_pages_and_words_of_figures_follow_the_scheme(open_report, scheme):
    page = open_report(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    label = page.locator("#normalised-entropy-by-depth-plot .legendtext").first
    label.wait_for()
    background, ink, drawn = page.evaluate(
        "label => [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.body).color, getComputedStyle(label).fill]",
        label.element_handle(),
    )
    assert background == PAPER[scheme]
    assert drawn == ink


def test_a_phone_scrolls_down_only(open_report):
    page = open_report(viewport={"width": 390, "height": 800})
    page.locator(".plot .main-svg").first.wait_for()
    page.mouse.wheel(0, 20000)
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0


def test_the_report_can_be_printed_with_its_figures(open_report):
    page = open_report(viewport={"width": 1200, "height": 900})
    page.locator(".plot .main-svg").first.wait_for()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    shown = page.locator(".plot:visible")
    assert shown.count() == page.locator(".plot:visible .svg-container").count() > 5
    assert page.pdf()[:5] == b"%PDF-"
