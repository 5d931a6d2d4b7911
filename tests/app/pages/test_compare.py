"""Differences are paired on the same texts, and say no more than seeds allow."""

import json

import numpy as np
import pytest
from dva_lens.app.downloads import numbers_of
from dva_lens.app.library import Library, NothingToShowError
from dva_lens.app.pages.compare.cells import Cell, cells
from dva_lens.app.pages.compare.difference import comparisons, difference_by_depth
from explorer import PARTS, fill
from fakes import fake_archive
from plotly.utils import PlotlyJSONEncoder

from dva_lens.results.archive import open_archive
from dva_lens.results.compare import compare
from dva_lens.results.differences import differences


def test_a_difference_by_depth_is_that_of_results(library, chosen):
    figure = difference_by_depth(library, chosen)
    found = differences(library.archive.on(chosen.text), "entropy", baseline="transformer")
    rows = figure.layout.meta["rows"]
    for column in ("value", "low", "high"):
        said = [row[column] for row in rows]
        np.testing.assert_array_equal(said, found[column].sel(model="dva").values)
    assert {row["model"] for row in rows} == {"dva"}


def test_the_table_says_what_the_command_line_says(library, chosen):
    """Every number and verdict of the table of numbers is that of `compare` by the same family."""
    rows = numbers_of(PARTS["contrasts"], library, chosen)[1]
    primary = [row for row in rows if row["family"] == "primary"]
    found = compare(library.archive.on(chosen.text), "transformer")
    assert len(primary) == found.family
    for row, one in zip(primary, found.entries, strict=True):
        assert row["statistic"] == one.statistic
        assert row["over layers"] == one.contrast
        assert row["text"] == float(one.text.mean)
        assert row["text p adjusted"] == one.text_adjusted
        assert row["verdict"] == one.verdict


def test_two_seeds_make_no_claim_about_architectures(library, chosen):
    found = comparisons(library, chosen)
    assert "entropy" in found.statistics
    for one in found.entries:
        assert not one.retrained.supports_claims
        assert "for these checkpoints" in one.verdict or one.muted


def test_the_table_says_once_why_seeds_are_too_few(library, chosen):
    text = json.dumps(fill("contrasts", library, chosen), cls=PlotlyJSONEncoder)
    assert text.count("Here: 2 seeds: no claim about architectures.") == 1
    assert "(2 seeds" not in text
    assert "for these checkpoints" in text


def test_a_baseline_without_the_statistic_is_refused(library, chosen):
    with pytest.raises(NothingToShowError, match="nobody"):
        difference_by_depth(library, chosen.but(baseline="nobody"))


@pytest.mark.parametrize("by", ["layer", "head"])
def test_places_are_compared_as_results_compare_them(library, chosen, tmp_path, by):
    models = ("transformer", "dva") if by == "layer" else ("transformer", "gated")
    if by == "head":
        library = Library(open_archive(fake_archive(tmp_path, models)))
    found = cells(library, chosen.but(by=by))
    along = ("layer",) if by == "layer" else ("layer", "head")
    due = differences(library.archive.on("held-out"), "entropy", along, baseline="transformer")
    assert len(found) == due["value"].size
    assert [abs(one.value) for one in found] == sorted(abs(one.value) for one in found)[::-1]
    for one in found:
        at = {"layer": one.layer} | ({} if one.head < 0 else {"head": one.head})
        assert one.value == float(due["value"].sel(model=models[1], **at))
        assert one.same == float(due["same"].sel(at))
        assert one.muted == (abs(one.same) > abs(one.value))


def test_a_place_where_seeds_differ_by_more_is_undecided():
    cell = Cell("dva", 0, -1, value=0.1, low=0.05, high=0.15, adjusted=0.001, same=-0.2)
    assert (cell.muted, cell.word) == (True, "undecided")
    assert Cell("dva", 0, -1, 0.1, 0.05, 0.15, adjusted=0.001, same=0.05).word == "higher"
    assert Cell("dva", 0, -1, 0.1, 0.05, 0.15, adjusted=0.2, same=float("nan")).word == "undecided"


def test_models_of_other_heads_are_said_not_to_be_compared_by_head(library, chosen):
    with pytest.raises(NothingToShowError, match="as many heads as transformer"):
        cells(library, chosen.but(by="head"))
    with pytest.raises(NothingToShowError, match="compare by layer"):
        cells(library, chosen.but(by="head", statistic="importance_entropy"))
