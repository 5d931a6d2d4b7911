"""One text inline in a notebook: what its HTML holds, and what a hostile token may not do."""

import base64
import html
import json
import re

import numpy as np
import pytest
from fake_edges import with_edges
from fakes import fake_measurement

from dva_lens.results.schema import EDGES, ArchiveError
from dva_lens.views.inline import token_view
from dva_lens.views.inline.fragment import MOST_TOKENS

HOSTILE = '</span></div><script>alert(1)</script>"\u202eabc\n'


@pytest.fixture
def data():
    return with_edges(fake_measurement("gpt", keep_queries=True))


def payload(view):
    return json.loads(html.unescape(re.search(r'data-edges="([^"]*)"', view.html)[1]))


def test_it_opens_on_the_head_that_looks_most_at_one_key(data):
    view = token_view(data)
    first = payload(view)["first"]
    assert first[0] == 2  # the layer with the sinks
    said = f"layer {first[0]}, head {first[1]}"
    assert said in repr(view)
    assert "token 0" in repr(view)
    assert payload(token_view(data, layer=1, head=3))["first"] == [1, 3]


def test_numbers_travel_as_they_were_kept(data):
    head = payload(token_view(data, sequence=1))["heads"][5]
    assert (head["layer"], head["head"]) == (1, 1)
    weight = np.frombuffer(base64.b64decode(head["weight"]), "<f4")
    kept = data["edge_weight"].values[1, 1, 1][: head["queries"]]
    np.testing.assert_array_equal(weight, kept.ravel())


def test_a_hostile_token_stays_text(data):
    token = data["token"].values.astype(object)
    token[0, 0] = HOSTILE
    view = token_view(data.assign(token=(data["token"].dims, token)))
    assert view.html.count("<script") == 1
    assert "alert(1)&lt;/script&gt;" in view.html
    assert "\u202e" not in view.html
    assert "⟨U+202E⟩" in view.html
    assert "⟨U+202E⟩" in repr(view)


def test_it_asks_for_nothing(data):
    assert not re.search(r"https?:|src=|href=|@import|url\(|fetch|import ", token_view(data).html)


def test_what_is_not_kept_is_refused(data):
    with pytest.raises(ArchiveError, match=r"keeps no edges.*--edges"):
        token_view(data.drop_vars(EDGES))
    with pytest.raises(ValueError, match="head must be one of 0 to 3, got 9"):
        token_view(data, head=9)
    with pytest.raises(ValueError, match="whose edges are kept"):
        token_view(data, sequence=5)
    blank = data.assign(edge_rest=data["edge_rest"].where(data["layer"] != 1))
    with pytest.raises(ArchiveError, match="Layer 1 keeps no edges of head 2"):
        token_view(blank, layer=1, head=2)
    assert {head["layer"] for head in payload(token_view(blank))["heads"]} == {0, 2, 3}


def test_a_long_text_is_cut_and_says_so(data, monkeypatch):
    monkeypatch.setattr("dva_lens.views.inline.fragment.MOST_TOKENS", 20)
    assert MOST_TOKENS > 20
    view = token_view(data)
    assert "The first 20 of 64 tokens." in view.html
    assert view.html.count('class="lens-token"') == payload(view)["tokens"] == 20
