"""The page about families of heads, with families planted and without."""

import numpy as np
from dva_lens.analyses import head_families
from dva_lens.analyses.head_families import report
from fakes import fake_measurement

from dva_lens.reports.material import Material
from dva_lens.reports.page import Points, tables_of
from dva_lens.results.collect import collect


def planted(model, sinks, seed):
    """Return a model some of whose heads give the first key all they have, and the others none."""
    data = fake_measurement(model, seed)
    rng = np.random.default_rng(seed)
    has = np.arange(16).reshape(4, 4) < sinks
    for name, (high, low) in {
        "first_key_mass": (0.8, 0.02),
        "normalised_entropy": (0.2, 0.9),
        "largest_weight": (0.8, 0.1),
        "written_value_drain": (0.1, 1.0),
        "sink_output_share": (0.0, 0.01),
    }.items():
        level = np.where(has, high, low) * np.exp(0.1 * rng.standard_normal((4, 4)))
        data[name][:] = level.reshape(4, 4, *([1] * (data[name].ndim - 2)))
    return data


def test_planted_families_and_their_shares_are_found(single, monkeypatch):
    data = {
        "few": [planted("few", 4, seed) for seed in range(3)],
        "many": [planted("many", 12, seed) for seed in range(3, 6)],
    }
    monkeypatch.setattr(head_families, "gather", lambda _: Material(single, collect(data)))
    monkeypatch.setattr(head_families, "facts", lambda _: ())
    answer = report(single)
    points = answer.sections[0].parts[0]
    assert isinstance(points, Points)
    assert "96 heads fall into two groups" in points.entries[0][1]
    shares = next(one for one in tables_of(answer) if one.name == "families-of-models")
    cells = {str(row[0]): sorted(str(cell)[:4] for cell in row[1:]) for row in shares.rows}
    assert cells == {"few": ["0.25", "0.75"], "many": ["0.25", "0.75"]}


def test_heads_that_differ_by_degrees_are_said_to(archive):
    answer = report(archive)
    points = answer.sections[0].parts[0]
    assert isinstance(points, Points)
    assert "found again" in points.entries[0][1]
    assert any(one.name == "stability" for one in tables_of(answer))
