"""Every address is a page, filled, whatever it says."""

import ast
import json
from pathlib import Path

import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.page import Page, Panel, single_parts
from dva_lens.app.pages import PAGES
from dva_lens.app.server import create_app
from plotly.utils import PlotlyJSONEncoder

from dva_lens import views

APP = Path(__file__).parents[2] / "app"

HOSTILE = "?run=../../etc/passwd&layer=1e9&statistic=<script>&span=-7&probe=%00&text=%00&head=-99"


def written(component):
    return json.dumps(component, cls=PlotlyJSONEncoder)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_drawn(library, path):
    text = written(page_at(library, path, ""))
    assert PAGES[path].question in text
    assert '"type": "H1"' in text


@pytest.mark.parametrize("path", PAGES)
def test_hostile_addresses_show_the_default(library, path):
    text = written(page_at(library, path, HOSTILE))
    assert "<script>" not in text
    assert "etc/passwd" not in text
    assert PAGES[path].question in text


@pytest.mark.parametrize("path", ["/nowhere", "/../../etc/passwd", "/heads/x", "/<script>"])
def test_other_addresses_say_so(library, path):
    assert "There is no such page" in written(page_at(library, path, ""))


def test_a_page_of_heads_shows_no_statistic_without_heads(library):
    text = written(page_at(library, "/heads", "?statistic=importance_entropy"))
    assert "heads do not differ" not in text


def test_the_overview_says_what_few_seeds_mean(library):
    assert "not yet the architectures" in written(page_at(library, "/", ""))


def test_nothing_offers_to_upload_a_figure(library):
    for path, page in PAGES.items():
        drawn = any(isinstance(part, Panel) for part in single_parts(page.parts))
        text = written(page_at(library, path, ""))
        assert '"showSendToCloud": true' not in text
        assert ('"showSendToCloud": false' in text) == drawn


def test_an_older_address_shows_its_page_and_says_the_new_name(library):
    text = written(page_at(library, "/tokens", "?probe=shuffled"))
    assert "the parameter is now called" in text
    assert "text=shuffled" in text
    assert "the parameter is now called" not in written(page_at(library, "/", "?text=shuffled"))


@pytest.fixture
def extra():
    """A page added from outside, with one figure, for as long as a test takes."""
    page = Page(
        path="/extra",
        name="Extra",
        question="One file?",
        lead="One value.",
        menus=("text",),
        parts=(Panel("extra", "Sink rate", _sinks),),
    )
    PAGES[page.path] = page
    yield page
    del PAGES[page.path]


def _sinks(library, chosen):
    return views.sink_curve(library.as_measured(chosen.text))


def test_a_page_from_outside_is_one_value(folder, extra):
    client = create_app(folder).server.test_client()
    assert client.get("/extra").status_code == 200
    assert "/extra" in str(client.get("/_dash-layout").get_json())
    answer = client.get("/numbers/extra.csv?text=shuffled")
    assert answer.status_code == 200
    assert len(answer.get_data(as_text=True).splitlines()) > 3


BANNED = {"nanmean", "nansum", "average", "weighted", "open_zarr", "open_datatree", "open_group"}


@pytest.mark.parametrize("path", sorted(APP.rglob("*.py")), ids=lambda path: path.name)
def test_the_explorer_reads_and_averages_by_results_alone(path):
    tree = ast.parse(path.read_text("utf-8"))
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not named & BANNED
    modules = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
    }
    assert not {name.partition(".")[0] for name in modules} & {"zarr", "torch"}
