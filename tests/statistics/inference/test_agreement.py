"""Competing definitions: every rivalry stands on statistics that exist, and ranks are compared."""

import numpy as np
import pytest
from scipy import stats

from dva_lens.statistics.inference.agreement import RIVALS, agreement
from dva_lens.statistics.table import STATISTICS


@pytest.mark.parametrize("name", RIVALS)
def test_every_definition_names_a_statistic_and_entries_it_has(name):
    rivalry = RIVALS[name]
    assert len(rivalry.definitions) >= 2
    for each in rivalry.definitions:
        entry = STATISTICS[each.statistic]
        assert entry.at in (("query", "head") if rivalry.cells == "head" else ("head", "layer"))
        for dimension, label in each.at.items():
            assert label in entry.extra[dimension]
        if each.over:
            assert STATISTICS[each.over].reference is not None


def test_agreement_is_kendalls_tau_between_all():
    draw = np.random.default_rng(0)
    one = draw.standard_normal((3, 4))
    readings = [one, np.exp(one), -one, one + draw.standard_normal((3, 4))]
    found = agreement(readings)
    np.testing.assert_allclose(np.diagonal(found), 1.0)
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == pytest.approx(-1.0)
    assert found[0, 3] == pytest.approx(stats.kendalltau(one.ravel(), readings[3].ravel())[0])
    np.testing.assert_allclose(found, found.T)


def test_a_definition_that_reads_the_same_everywhere_ranks_nothing():
    found = agreement([np.arange(5.0), np.ones(5)])
    assert np.isnan(found[0, 1])
    assert np.isnan(found[1, 1])
