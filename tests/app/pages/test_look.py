"""What the browser gets to draw where tokens look, against the pattern it was made from."""

import base64
import json

import numpy as np
import pytest
from dva_lens.app.library import Library, NothingToShowError
from dva_lens.app.pages.tokens.look import look, rows
from dva_lens.app.state import Selection
from explorer import fill
from fake_edges import SINK_LAYER, fake_pattern
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.edges import edges, pinned_keys

LAYER, HEAD = SINK_LAYER, 3
LONG = 64


@pytest.fixture
def view(library):
    return Selection.from_query(f"layer={LAYER}&head={HEAD}", library.catalogue)


def part(shown, number):
    return shown.children[number]


def sent(shown):
    whole = json.loads(getattr(part(shown, 3), "data-edges"))
    for name, kind in {"key": "<i4", "visible": "<i4"}.items():
        whole[name] = np.frombuffer(base64.b64decode(whole[name]), kind)
    for name in ("weight", "share", "rest", "rest_by_key"):
        whole[name] = np.frombuffer(base64.b64decode(whole[name]), "<f4")
    return whole


def test_the_browser_gets_the_largest_weights_of_the_head(library, view):
    whole, pattern = sent(look(library, view)), fake_pattern(LAYER, HEAD, 0, LONG)
    assert (whole["queries"], whole["ranks"], whole["tokens"]) == (LONG, 16, LONG)
    weight, key = (whole[name].reshape(LONG, 16) for name in ("weight", "key"))
    np.testing.assert_allclose(weight, -np.sort(-pattern)[:, :16], rtol=1e-6)
    assert (key[:16] == -1).sum() == sum(range(16))
    np.testing.assert_allclose(weight.sum(1) + whole["rest"], 1.0, rtol=1e-6)
    assert whole["visible"].tolist() == list(range(1, LONG + 1))


def test_a_key_that_most_look_at_is_pinned_with_its_mass(library, view):
    (pin,) = sent(look(library, view))["pinned"]
    due = fake_pattern(LAYER, HEAD, 0, LONG)[15:, 0].mean()
    assert pin["at"] == 0
    assert pin["mass"] == pytest.approx(due, rel=1e-6)
    chip = part(look(library, view), 1).children[0]
    assert getattr(chip, "data-lock") == "0"
    assert float(chip.children[2].children) == pytest.approx(due, rel=1e-2)


def test_where_nothing_stands_out_nothing_is_pinned(library, view):
    shown = look(library, view.but(layer=0))
    assert sent(shown)["pinned"] == []
    assert "No key stands out" in part(shown, 1).children[0].children


def test_pinned_keys_need_queries_that_choose_among_many(library):
    run = library.archive.runs[0]
    found = edges(library.archive.dataset(run, "held-out"), LAYER, HEAD)
    assert [key.position for key in pinned_keys(found)] == [0]
    assert pinned_keys(found.isel(query=slice(0, 20))) == ()
    both = found.assign(key=found["key"].where(found["query"] > 0, 5))
    assert [key.position for key in pinned_keys(both)] == [0]  # a query that looks ahead


def test_edges_come_as_rows_too(library, view):
    table = rows(library, view)
    assert len(table) == LONG * 16 - sum(range(16))
    strongest = max(table[-16:], key=lambda row: row["weight"])
    assert (strongest["query"], strongest["key"]) == (63, 0)


def test_what_was_not_kept_is_said(library, view, tmp_path):
    assert "of sequences 0 to 1; choose" in look(library, view.but(sequence=2)).children
    with pytest.raises(NothingToShowError, match="not measured on the text"):
        library.edges("transformer-0", "elsewhere", 0, 0, 0)
    plain = Library(open_archive(fake_archive(tmp_path, ("transformer",), 1)))
    assert "keeps no edges" in fill("look", plain, view).children
    shaded = fill("text", plain, view).children[0].children
    assert shaded[3].title.startswith("token 3: ")
    assert "See who looks at it" not in str(fill("findings", plain, view))


def test_the_finding_of_a_sink_leads_to_its_token(library, view):
    said = str(fill("findings", library, view))
    assert "See who looks at it" in said
    assert "sequence=0&token=0&text=held-out&mode=raw" in said


def test_another_head_leaves_the_text_as_it_is(library, view):
    first, other = fill("text", library, view), fill("text", library, view.but(head=1, token=7))
    assert first is other
    assert fill("look", library, view) is not fill("look", library, view.but(head=1))
    assert fill("look", library, view) is fill("look", library, view.but(token=7, mode="excess"))
