"""What a reader does: open, follow a link, choose a head, send the address to somebody else."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes import fake_archive
from tabs import asked, said

import dva_lens as lens
from dva_lens.views.words import shown

pytestmark = pytest.mark.browser

MAP = '[id*=\'"panel":"head-map"\']'
DEPTH = '[id*=\'"panel":"depth"\']'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("archive"), models=("transformer", "dva"))


def head_title(page, layer, head):
    return page.get_by_role("heading", name=f"Layer {layer}, head {head}", exact=True)


def test_from_the_overview_to_a_head_and_back_by_its_address(page):
    page.goto("/")
    page.locator(f"{DEPTH} .scatterlayer").wait_for()
    assert page.title() == "Overview · dva-lens"
    page.get_by_role("link", name="transformer", exact=True).click()
    page.locator(f"{MAP} .hm image").wait_for()
    assert urlsplit(page.url).path == "/heads"
    assert said(page)["run"] == "transformer-0"
    first = int(said(page)["layer"]), int(said(page)["head"])  # the one that stands out
    head_title(page, *first).wait_for()

    box = page.locator(f"{MAP} .nsewdrag").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 2.5 / 4, box["y"] + box["height"] * 1.5 / 4)
    head_title(page, 1, 2).wait_for()
    assert (said(page)["layer"], said(page)["head"]) == ("1", "2")
    address, value = page.url, page.locator(".big").text_content()

    page.reload()
    head_title(page, 1, 2).wait_for()
    assert page.url == address
    assert page.locator(".big").text_content() == value
    page.go_back()
    head_title(page, *first).wait_for()
    page.go_back()
    page.locator(f"{DEPTH} .scatterlayer").wait_for()
    assert urlsplit(page.url).path == "/"


@pytest.mark.parametrize("name", ["entropy", "first_key_mass", "value_drain"])
def test_the_first_page_prints_the_means_of_results(page, folder, name):
    measured = lens.open_archive(folder).on()
    found = measured.estimate(name)
    page.goto("/")
    title = measured.variable(name).attrs["long_name"]
    link = page.get_by_role("link", name=title, exact=True)
    row = page.get_by_role("row").filter(has=link)
    row.wait_for()
    printed = row.locator(".mean").all_inner_texts()
    assert printed == [shown(float(each)) for each in found["value"]]


def test_back_and_forward_step_through_heads_and_statistics(page, visit):
    visit("/heads?run=transformer-0&statistic=entropy&layer=1&head=0")
    head_title(page, 1, 0).wait_for()
    page.locator("[data-headgrid]").focus()
    page.keyboard.press("ArrowRight")
    head_title(page, 1, 1).wait_for()
    page.get_by_role("link", name="Effective number of keys").click()
    page.get_by_role("heading", name="Effective number of keys of every head").wait_for()
    menu = page.get_by_role("textbox", name="Statistic", exact=True)
    assert menu.input_value() == "Effective number of keys"
    page.go_back()
    page.get_by_role("heading", name="Attention entropy of every head").wait_for()
    assert menu.input_value() == "Attention entropy"
    page.go_back()
    head_title(page, 1, 0).wait_for()
    page.go_forward()
    head_title(page, 1, 1).wait_for()
    assert said(page)["head"] == "1"


def test_another_head_is_one_round_trip(page, visit):
    visit("/heads?run=transformer-0&layer=2&head=0")
    head_title(page, 2, 0).wait_for()
    page.get_by_role("button", name="Show as table: Map of layers by heads").click()
    page.get_by_role("region", name="Map of layers by heads, as a table").wait_for()
    page.wait_for_load_state("networkidle")
    with asked(page) as calls:
        page.locator("[data-headgrid]").focus()
        page.keyboard.press("ArrowRight")
        head_title(page, 2, 1).wait_for()
        page.wait_for_load_state("networkidle")
    assert len([address for method, address in calls if method == "POST"]) == 1


def test_a_link_to_another_choice_can_be_opened_beside(page, visit):
    visit("/heads?run=transformer-1&layer=2&head=1")
    head_title(page, 2, 1).wait_for()
    link = page.get_by_role("link", name="Effective number of keys")
    link.hover()
    address = link.get_attribute("href")
    found = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert (found["run"], found["layer"], found["head"]) == ("transformer-1", "2", "1")
    assert found["statistic"] == "effective_keys"


def test_a_point_of_the_depth_profile_leads_to_its_layer(page, visit):
    visit("/?statistic=entropy")
    point = page.locator(f"{DEPTH} .scatterlayer .points path").nth(6)
    point.hover(force=True)
    point.click(force=True)
    page.wait_for_url(re.compile(r"/heads\?.*layer=2"))
    head_title(page, 2, 0).wait_for()


def test_arrow_keys_move_the_head_and_it_is_said_aloud(page, visit):
    visit("/heads?run=transformer-0&layer=3&head=0")
    head_title(page, 3, 0).wait_for()
    page.locator("[data-headgrid]").focus()
    page.keyboard.press("ArrowRight")
    head_title(page, 3, 1).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    head_title(page, 2, 1).wait_for()
    page.locator("#spoken", has_text="Layer 2, head 1").wait_for(state="attached")
    assert said(page)["layer"] == "2"


def test_a_statistic_is_chosen_in_the_table_and_shown_in_the_menu(page, visit):
    visit("/?statistic=entropy")
    row = page.locator("table.headline tbody a").nth(4)
    name = row.text_content()
    row.click()
    page.get_by_role("heading", name=f"{name} by depth").wait_for()
    assert page.get_by_role("textbox", name="Statistic").input_value() == name


def test_a_model_with_fewer_heads_says_which_head_it_shows(page, visit):
    visit("/heads?run=transformer-0&layer=3&head=3")
    head_title(page, 3, 3).wait_for()
    page.get_by_role("textbox", name="Model").click()
    page.get_by_role("option", name="dva · seed 1").click()
    head_title(page, 3, 0).wait_for()
    page.wait_for_url(re.compile("run=dva-1.*head=0"))


def test_values_of_another_model_are_asked_for_and_linked_to(page, visit):
    visit("/values?run=transformer-0")
    figure = page.get_by_role("region", name="Where the values of every layer come from")
    figure.get_by_text("transformer-0 reads its own values only").wait_for()
    page.get_by_role("textbox", name="Model").click()
    page.get_by_text("one head, no feed-forward, a value per pair", exact=True).wait_for()
    page.get_by_role("option", name="dva · seed 1").click()
    page.wait_for_url(re.compile("/values.*run=dva-1"))
    figure.get_by_text("dva-1 reads its own values only").wait_for()
    assert page.title() == "Values · dva-lens"


def test_the_numbers_of_a_figure_are_read_and_taken_along(page, visit):
    visit("/heads?run=transformer-0")
    page.locator(f"{MAP} .hm image").wait_for()
    page.get_by_role("button", name="Show as table: Map of layers by heads").click()
    table = page.get_by_role("region", name="Map of layers by heads, as a table")
    table.wait_for()
    assert table.locator("tbody tr").count() == 16
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download as CSV: Map of layers by heads").click()
    assert "layer,head,value" in Path(taken.value.path()).read_text("utf-8")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download as SVG: Map of layers by heads").click()
    assert Path(taken.value.path()).read_text("utf-8").startswith("<svg")


def test_a_statistic_is_defined_one_click_away(page, visit):
    visit("/heads?statistic=sink_importance")
    page.get_by_text("Definition and source").click()
    page.locator(".meaning math mfrac").first.wait_for()
    page.get_by_role("link", name="Effective number of keys").click()
    other = page.locator(".meaning", has_text="Effective number of keys").locator("math")
    other.wait_for(state="attached")
    assert page.locator(".meaning mfrac").count() == 0


def test_a_loop_around_points_marks_their_heads_everywhere(page, visit):
    visit("/heads?run=transformer-0&statistic=entropy&layer=2&head=1")
    scatter = page.locator('[id*=\'"panel":"head-scatter"\']')
    scatter.locator(".points path").first.wait_for()
    scatter.scroll_into_view_if_needed()
    box = scatter.locator(".nsewdrag").first.bounding_box()
    left, top = box["x"] + 3, box["y"] + 3
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 9)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    page.locator(".brush-said", has_text="16 marked").wait_for()
    page.wait_for_url("**/heads*brush=L0H0_*")
    assert page.locator(".finder tr.brushed").count() == 12
    map_ = page.locator(MAP)
    map_.locator(".heatmap-label").nth(15).wait_for()
    visit("/heads?run=transformer-0&statistic=entropy&layer=2&head=1&brush=L2H3_L2H0_L1H1")
    page.locator(".brush-said", has_text="3 marked: L2H3, L2H0, L1H1").wait_for()
    page.wait_for_function(
        """() => {
            const of = name => document.querySelector(`[id*='"panel":"${name}"'] .js-plotly-plot`);
            const marked = of("head-map").data[0].text.flat().filter(Boolean).length;
            const lines = of("head-spans").data.filter(trace => trace.meta === "brushed");
            return marked === 3 && lines.length === 1
                && of("head-scatter").data[0].selectedpoints.length === 3;
        }"""
    )


def test_differences_are_sorted_and_filtered_in_the_browser(page, visit):
    visit("/compare?statistic=entropy")
    table = page.locator("table.sorted")
    table.wait_for()
    rows = table.locator("tbody tr")
    assert rows.count() == 4
    table.get_by_role("button", name="Place").click()
    assert [row.split()[1] for row in rows.locator("th").all_text_contents()] == [
        "L0", "L1", "L2", "L3",
    ]  # fmt: skip
    table.get_by_role("button", name="Difference").click()
    numbers = rows.evaluate_all("rows => rows.map(row => Number(row.children[1].dataset.value))")
    assert numbers == sorted(numbers, reverse=True)
    page.get_by_label("Filter").fill("dva l2")
    page.get_by_text("1 row").wait_for()
    assert rows.locator("visible=true").count() == 1
    page.get_by_role("textbox", name="By", exact=True).click()
    page.get_by_role("option", name="each head").click()
    page.get_by_text("as many heads as transformer").wait_for()
    assert said(page)["by"] == "head"


def test_training_is_stepped_through_and_played_without_the_server(page, visit):
    visit("/training?run=transformer-0&statistic=first_key_mass")
    slider = page.get_by_role("slider", name="Training step")
    page.locator(".scrub-said", has_text="step 160").wait_for()
    page.wait_for_load_state("networkidle")
    with asked(page) as calls:
        page.get_by_role("button", name="Play").click()
        page.locator(".scrub-said", has_text="step 10 ").wait_for()
        assert calls == []
        page.get_by_role("button", name="Pause").click()
    page.wait_for_url("**/training*step=*")
    slider.press("Home")
    page.locator(".scrub-said", has_text="step 0").wait_for()
    drawn = 'name => document.querySelector(`[id*=\'"panel":"${name}"\'] .js-plotly-plot`)'
    first = page.evaluate(f"({drawn})('training-map').data[0].z")
    assert page.evaluate(f"({drawn})('history').layout.shapes[0].x0") == 0
    slider.press("End")
    page.locator(".scrub-said", has_text="step 160").wait_for()
    assert page.evaluate(f"({drawn})('training-map').data[0].z") != first
    slider.press("ArrowLeft")
    page.wait_for_url("**/training*step=40*")


def test_a_step_is_part_of_the_address_and_stays_with_another_head(page, visit):
    visit("/training?run=transformer-0&statistic=first_key_mass&step=40")
    page.locator(".scrub-said", has_text="step 40").wait_for()
    page.locator("#inspector").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".inspector h2", has_text="L0H1").wait_for()
    assert page.locator(".scrub-said").text_content().startswith("step 40")


def test_every_page_of_the_navigation_draws(page, visit):
    visit("/")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    names = links.all_text_contents()
    assert len(names) >= 4
    for name in names:
        links.filter(has_text=name).click()
        page.locator("nav [aria-current=page]", has_text=name).wait_for()
        assert page.title() == f"{name} · dva-lens"
        drawn = {"About": ".prose", "Live": "#live-text"}.get(name, ".js-plotly-plot .main-svg")
        page.locator(drawn).locator("visible=true").first.wait_for()
        lacking = page.locator(".missing:not(:empty)").all_text_contents()
        known = ("reads its own values only", "keeps no values of single keys", "keeps no edges")
        assert all(any(why in said for why in known) for said in lacking)


def test_a_hostile_address_shows_a_page(page, visit):
    visit("/heads?run=%3Cscript%3Ealert(1)%3C/script%3E&layer=1e9&head=../..&span=%00")
    head_title(page, 0, 0).wait_for()


def test_a_reader_who_likes_it_dark_gets_it_dark(page, visit):
    page.emulate_media(color_scheme="dark")
    visit("/")
    page.locator(f"{DEPTH} .xtick text").first.wait_for()
    page.locator("html[data-mantine-color-scheme=dark]").wait_for()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate(f"getComputedStyle(document.querySelector(`{DEPTH} .xtick text`)).fill")
    page.emulate_media(color_scheme="light")
    assert sum(map(int, re.findall(r"\d+", ground)[:3])) < 150
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) > 500


def test_nothing_is_cut_off_on_a_telephone(page, visit):
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 800})
    visit("/heads")
    page.locator(f"{MAP} .hm image").wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    boxes = [links.nth(at).bounding_box() for at in range(links.count())]
    boxes.append(page.get_by_role("button", name="Switch between").bounding_box())
    page.set_viewport_size(wide)
    assert width <= 390
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_a_page_can_be_read_without_seeing_it(page, visit):
    visit("/heads?layer=0&head=0")
    head_title(page, 0, 0).wait_for()
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input')].filter(e =>
            !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length
              || e.type === 'hidden' || e.closest('.plotly'))).map(e => e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("[role=group][aria-label]").count() >= 3


@pytest.mark.parametrize("width", [905, 961, 1000, 1181])
def test_the_head_of_a_page_fits_between_the_usual_widths(page, visit, width):
    visit("/live")
    page.set_viewport_size({"width": width, "height": 800})
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.get_by_role("button", name="Switch between light and dark").bounding_box()
        assert box["x"] + box["width"] <= width
    finally:
        page.set_viewport_size({"width": 1400, "height": 1000})
