import json

import pytest
from dva_lens.analyses import known_answers

from dva_lens.models.presets import PRESETS, preset


def test_a_sink_is_expected_where_nothing_else_can_be_done():
    expected = {n for n in PRESETS if known_answers.expects_sink(preset(n, known_answers.SIZE))}
    assert set(PRESETS) - expected == {"gated", "sigmoid", "softmax-off-by-one", "learned-sink"}


@pytest.mark.parametrize("name", ["transformer", "mqa", "dva"])
def test_an_untrained_model_neither_copies_nor_parks(name):
    found = known_answers.answer(name, steps=1)
    assert not found.solved
    assert found.copied < 0.2
    assert found.parked == pytest.approx(found.even, abs=0.02)
    assert found.parked_at_triggers == pytest.approx(found.even, abs=0.02)


def test_answers_are_printed(capsys):
    assert known_answers.main(["--steps", "1", "--presets", "dva-static", "--check"]) == 1
    assert "dva-static" in capsys.readouterr().out
    assert known_answers.main(["--steps", "1", "--presets", "gated", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["preset"] == "gated"
