import json

import pytest
import yaml
from dva_lens.analyses.reference.rates import WITHIN, chosen, main
from fakes import fake_measurement, run_attrs

from dva_lens.results.writer import write_run

LOSSES = {0.001: 4.0, 0.002: 3.9, 0.004: 3.89}


@pytest.fixture
def pilot(tmp_path):
    """A folder of one model trained at three rates."""
    for rate, loss in LOSSES.items():
        attrs = run_attrs("dva", 0, order=0, heads=1) | {"label": f"dva-{rate}", "loss": loss}
        attrs["recipe"] = json.dumps({"learning_rate": rate})
        write_run(
            tmp_path, f"{rate}", attrs=attrs, measurements={"held-out": fake_measurement("dva")}
        )
    return tmp_path


def test_the_smallest_rate_near_the_best_is_chosen(pilot, capsys):
    main([str(pilot)])
    assert yaml.safe_load(capsys.readouterr().out) == {"learning_rates": {"dva": 0.002}}


def test_a_rate_that_is_clearly_best_is_taken():
    best = min(LOSSES.values())
    assert chosen(LOSSES | {0.002: best + WITHIN + 1e-6}) == 0.004
    assert chosen(LOSSES | {0.001: best + WITHIN / 2}) == 0.001
