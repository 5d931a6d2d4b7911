"""The calibration script keeps its promises, and sees a broken one."""

import json

from dva_lens.analyses.benchmarks import calibration


def test_a_short_simulation_holds_and_tells_wrong_choices_apart():
    rows = calibration.simulate(seed=1, scale=0.1)
    by = {(row.question, row.setting): row for row in rows}
    assert all(row.holds is not False for row in rows)
    wrong = by["Sequences taken for units", "25 documents of 1-4 sequences, normal"]
    assert wrong.measured < 0.9
    assert by["Seeds bootstrapped", "2 seeds, seeds vary alike"].measured < 0.75


def test_a_broken_promise_is_seen():
    row = calibration.Setting("Interval", "any", 0.93, 0.97, 0.9, 0.005)
    assert row.holds is False
    assert "**no**" in calibration.page([row])


def test_numbers_can_be_read_by_machines(capsys, monkeypatch):
    row = calibration.Setting("Interval", "any", 0.93, 0.97, 0.9, 0.005)
    monkeypatch.setattr(calibration, "simulate", lambda seed: [row])
    assert calibration.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["holds"] is False
