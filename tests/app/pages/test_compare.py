"""Differences are paired on the same texts, and say no more than seeds allow."""

import json

import numpy as np
import pytest
from dva_lens.app.library import NothingToShowError
from dva_lens.app.pages.compare.difference import comparisons, difference_by_depth, profiles
from explorer import fill
from plotly.utils import PlotlyJSONEncoder


def test_a_difference_by_depth_is_the_mean_of_paired_differences(library, chosen):
    figure = difference_by_depth(library, chosen)
    found, _ = profiles(library, chosen.text, chosen.span, library.catalogue.measure("entropy"))
    apart = np.nanmean(found["dva"], 0) - np.nanmean(found["transformer"], 0)
    rows = figure.layout.meta["rows"]
    np.testing.assert_allclose([row["value"] for row in rows], np.nanmean(apart, 0), rtol=1e-6)
    assert {row["model"] for row in rows} == {"dva"}


def test_two_seeds_make_no_claim_about_architectures(library, chosen):
    found = comparisons(library, chosen)
    measures = [measure.name for measure, _ in found]
    assert "entropy" in measures
    assert "loss" not in measures
    for _, ones in found:
        for one in ones:
            assert not one.retrained.supports_claims
            assert one.muted or "for these checkpoints" in one.verdict


def test_the_table_says_once_why_seeds_are_too_few(library, chosen):
    text = json.dumps(fill("contrasts", library, chosen), cls=PlotlyJSONEncoder)
    assert text.count("Here: 2 seeds: no claim about architectures.") == 1
    assert "(2 seeds" not in text
    assert "higher for these checkpoints" in text


def test_a_baseline_without_the_statistic_is_refused(library, chosen):
    with pytest.raises(NothingToShowError, match="nobody"):
        difference_by_depth(library, chosen.but(baseline="nobody"))
