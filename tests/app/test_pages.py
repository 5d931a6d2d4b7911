"""Every address is a page, filled, whatever it says."""

import json

import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.pages import PAGES
from plotly.utils import PlotlyJSONEncoder

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
    assert "not yet about architectures" in written(page_at(library, "/", ""))


def test_nothing_offers_to_upload_a_figure(library):
    for path in PAGES:
        assert '"showSendToCloud": true' not in written(page_at(library, path, ""))
        assert '"showSendToCloud": false' in written(page_at(library, path, ""))


def test_an_older_address_shows_its_page_and_says_the_new_name(library):
    text = written(page_at(library, "/tokens", "?probe=shuffled"))
    assert "the parameter is now called" in text
    assert "text=shuffled" in text
    assert "the parameter is now called" not in written(page_at(library, "/", "?text=shuffled"))
