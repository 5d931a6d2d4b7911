"""Where a token draws from, drawn layer by layer."""

import numpy as np
import pytest
from fake_edges import fake_pattern, with_edges
from fakes import fake_measurement

from dva_lens.results.paths import paths
from dva_lens.results.schema import ArchiveError
from dva_lens.views import contribution_graph

LENGTH = 40


@pytest.fixture(scope="module")
def data():
    return with_edges(fake_measurement(keep_queries=True, length=LENGTH), count=LENGTH)


def followed(token, least, by, layers, heads):
    """Follow links in the whole patterns."""
    reached, found = {token}, set()
    for layer in reversed(range(layers)):
        links = set()
        for head in range(heads):
            carried = fake_pattern(layer, head, 1, LENGTH)
            if by == "share":
                carried[:, 0] *= 0.1
            links |= {
                (layer, head, query, key)
                for query in reached
                for key in range(LENGTH)
                if key != query and np.float32(carried[query, key]) >= least
            }
        found |= links
        reached |= {link[3] for link in links}
    return found, reached


@pytest.mark.parametrize("by", ["share", "weight"])
@pytest.mark.parametrize(("token", "least"), [(39, 0.1), (20, 0.25), (3, 0.05)])
def test_links_are_those_of_the_whole_patterns_followed_down(data, token, least, by):
    found = paths(data, token, sequence=1, least=least, by=by, most=10_000)
    layers, heads = data.sizes["layer"], data.sizes["head"]
    want, reached = followed(token, least, by, layers, heads)
    assert {link[:4] for link in found.links} == want
    assert set(found.reached) == reached
    assert found.left_out == 0
    carried = [link.carried for link in found.links]
    assert carried == sorted(carried, reverse=True)


def test_the_last_token_is_followed_unless_another_is_chosen_and_the_weakest_are_left_out(data):
    whole = paths(data, least=0.05, most=10_000)
    assert whole.token == LENGTH - 1
    few = paths(data, least=0.05, most=7)
    assert set(few.links) <= set(whole.links[:7])
    assert few.left_out == len(whole.links) - len(few.links)
    assert {link.query for link in few.links} <= set(few.reached)
    contribution_graph(data, least=0.01)  # of many lines some that lead to others are left out


def test_every_line_says_its_head_and_a_click_leads_to_it(data):
    figure = contribution_graph(data, token=20, sequence=1, least=0.1)
    found = paths(data, 20, sequence=1, least=0.1)
    marks = figure.data[-2]
    assert [each["token"] for each in marks.customdata] == [link.query for link in found.links]
    assert f"draws {found.links[0].carried:.3g} from" in marks.text[0]
    assert {each["token"] for each in figure.data[-1].customdata} == set(found.reached)
    assert np.nanmax([np.nanmax(trace.y) for trace in figure.data[1:-2]]) == data.sizes["layer"]
    assert len(figure.layout.meta["rows"]) == 1 + len(found.links)
    assert "at least 0.1" in figure.layout.meta["caption"]


def test_lines_that_carry_little_are_not_drawn(data):
    assert not paths(data, 20, least=2.0).links
    figure = contribution_graph(data, token=20, least=2.0)
    assert "0 lines" in figure.layout.meta["caption"]


def test_what_was_not_kept_is_refused(data):
    with pytest.raises(ArchiveError, match="keeps no edges"):
        paths(fake_measurement(keep_queries=True, length=LENGTH))
    with pytest.raises(
        ValueError, match=f"one of 0 to {LENGTH - 1}, whose edges are kept, got 40"
    ):
        paths(data, LENGTH)
    with pytest.raises(ValueError, match="least must be above 0"):
        paths(data, least=0.0)
    with pytest.raises(ValueError, match="sequence"):
        paths(data, sequence=9)
