"""Training costs by five clocks, of curves whose answers are known."""

import numpy as np
import pytest
from dva_lens.analyses import training_cost
from dva_lens.analyses.training_cost import CommonEnd, TrainingCurve, costs, main, table
from fakes import MODELS, fake_archive

from dva_lens.results.archive import open_archive


def curve(rate, per_step=1.0, seconds=1.0):
    steps = np.arange(10.0, 110.0, 10.0)
    return TrainingCurve(8.0 - rate * steps, steps, per_step * steps, seconds * steps)


def test_clocks_of_straight_curves():
    base, dear = curve(0.02), curve(0.04, per_step=4.0, seconds=3.0)
    read = costs({"base": [base], "dear": [dear]}, CommonEnd.of([base, dear]))
    assert read["loss at equal steps"] == {"base": [6.0], "dear": [4.0]}
    # all have spent 100 operations: after 25 steps of the dear one
    assert read["loss at equal operations"] == {"base": [6.0], "dear": [7.0]}
    assert read["steps to equal loss"]["base"] == pytest.approx(100.0)
    assert read["steps to equal loss"]["dear"] == pytest.approx(50.0)
    assert read["operations to equal loss"]["dear"] == pytest.approx(200.0)
    assert read["seconds to equal loss"]["dear"] == pytest.approx(150.0)


def test_the_common_end_is_set_by_the_worst_the_shortest_and_the_cheapest():
    end = CommonEnd.of([curve(0.02), curve(0.01, per_step=0.5)])
    assert (end.step, end.loss, end.operations) == (100.0, 7.0, 50.0)


def test_equal_trainings_differ_by_nothing(tmp_path, monkeypatch):
    seeds = [curve(0.02 + 0.001 * seed) for seed in range(3)]
    monkeypatch.setattr(
        training_cost, "curves", lambda *_: {"transformer": seeds, "other": [*seeds]}
    )
    archive = open_archive(fake_archive(tmp_path, models=("transformer", "other"), seeds=1))
    cells = table(archive, "held-out").rows[1][3:]
    assert all(str(cell).startswith(("0.", "−0.", "× 1.0")) for cell in cells)
    assert all("[" in str(cell) for cell in cells)


def test_an_archive_is_answered_for_every_model(tmp_path, capsys):
    folder, out = fake_archive(tmp_path / "study", seeds=1), tmp_path / "cost.html"
    assert main([str(folder), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert all(model in page for model in MODELS)
    assert "operations to equal loss" in page
    assert capsys.readouterr().out == f"Report: {out}\n"


def test_few_seeds_get_no_interval(tmp_path):
    found = table(open_archive(fake_archive(tmp_path, seeds=2)), "held-out")
    assert not any("[" in str(cell) for row in found.rows for cell in row)


def test_a_folder_without_archive_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 1
    assert "There is no folder" in capsys.readouterr().err
