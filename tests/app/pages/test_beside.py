"""Two texts side by side: the numbers are those of the archive, and an address names both."""

import json

import numpy as np
import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.pages.live.beside import _measure, _side, beside
from dva_lens.app.shown_text import ShownText, shown_text
from dva_lens.app.state import Selection
from plotly.utils import PlotlyJSONEncoder

from dva_lens.results.archive import open_archive
from dva_lens.results.display import by_query


@pytest.fixture(scope="module")
def library(folder):
    return Library(open_archive(folder), ("transformer-0",))


def test_an_address_names_both_texts(library):
    other = ShownText("transformer-0", "held-out", 2)
    chosen = Selection.from_query("run=transformer-0", library.catalogue).but(beside=str(other))
    again = Selection.from_query(chosen.to_query(), library.catalogue)
    assert shown_text(again.beside, library.catalogue, 8) == other
    page = json.dumps(page_at(library, "/live", again.to_query()), cls=PlotlyJSONEncoder)
    assert "transformer-0: held-out, text 0" in page
    assert "transformer-0: held-out, text 2" in page


@pytest.mark.parametrize(
    "name", ["", "none", "0 of ", "9 of held-out, transformer-0", "x of held-out, transformer-0",
             "0 of held-out, nobody", "<script>", "0 of ../etc, transformer-0"],
)  # fmt: skip
def test_a_name_of_no_text_is_none(library, name):
    assert shown_text(name, library.catalogue, 8) is None
    query = Selection.from_query("", library.catalogue).but(beside=name).to_query()
    assert Selection.from_query(query, library.catalogue).beside == "none"


def test_numbers_are_those_of_the_archive(library):
    chosen = Selection.from_query("layer=2&head=1&statistic=entropy", library.catalogue)
    shown = ShownText("transformer-0", "held-out", 1)
    side = _side(library, shown, _measure(library, chosen), chosen)
    held = library.display("transformer-0", "held-out")
    due = by_query(held, "entropy", 1, along=("layer", "head")).isel(layer=2, head=1)
    np.testing.assert_array_equal(side.values, due.values)
    values = library.of_run("transformer-0", "held-out").values("entropy")
    assert side.numbers["entropy"] == float(values.isel(sequence=1, layer=2, head=1).squeeze())


def test_without_a_second_text_the_card_says_how_to_get_one(library):
    chosen = Selection.from_query("", library.catalogue)
    said = json.dumps(beside(library, chosen), cls=PlotlyJSONEncoder)
    assert "run it again with the same model" in said
