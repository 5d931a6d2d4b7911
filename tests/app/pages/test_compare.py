"""Differences are paired on the same texts, and say no more than seeds allow."""

import json

import numpy as np
import pytest
from dva_lens.app.downloads import numbers_of
from dva_lens.app.library import NothingToShowError
from dva_lens.app.pages.compare.difference import comparisons, difference_by_depth
from explorer import PARTS, fill
from plotly.utils import PlotlyJSONEncoder

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
