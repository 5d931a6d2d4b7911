"""The page about dynamic values says which models have some, where, and in which heads."""

import numpy as np
import pytest
from dva_lens.analyses import value_dynamics
from dva_lens.analyses.value_dynamics import report
from fakes import fake_measurement

from dva_lens.reports.material import Material
from dva_lens.reports.page import Points, tables_of
from dva_lens.results.collect import collect
from dva_lens.results.schema import ArchiveError


def planted(seed):
    """Return values that move most in layer 2, and more in heads that attend to fewer keys."""
    data = fake_measurement("dva", seed)
    share = 0.1 + 0.001 * np.arange(16).reshape(4, 4)
    share[2] += 0.3
    data["dynamism"][:] = share[:, :, None]
    data["normalised_entropy"][:] = 1 - share[:, :, None, None]
    return data


@pytest.fixture
def material(single, monkeypatch):
    """What the page is given: planted measurements instead of those of the archive."""
    data = {"still": fake_measurement("still", 0), "dva": [planted(seed) for seed in range(3)]}
    found = Material(single, collect(data))
    monkeypatch.setattr(value_dynamics, "gather", lambda _: found)
    monkeypatch.setattr(value_dynamics, "facts", lambda _: ())
    return found


def test_a_planted_layer_and_a_planted_order_of_heads_are_found(single, material):
    answer = report(single)
    points, table = answer.sections[0].parts
    assert isinstance(points, Points)
    said = dict(points.entries)
    assert "most in layer 2 (0.410)" in said["dva:"]
    assert said["Static:"] == "values do not move at all in still."
    (row,) = (dict(zip(table.columns, each, strict=True)) for each in table.rows)
    assert row["most in layer"] == 2
    assert str(row["with concentration"]).startswith("1.00 [")


def test_an_archive_of_static_values_says_so(single, material, monkeypatch):
    still = Material(single, collect(fake_measurement("still", 0)))
    monkeypatch.setattr(value_dynamics, "gather", lambda _: still)
    with pytest.raises(ArchiveError, match="differ between queries; a study of"):
        report(single)


def test_a_study_is_answered(archive):
    (table,) = tables_of(report(archive))
    assert [row[0] for row in table.rows] == ["dva"]
