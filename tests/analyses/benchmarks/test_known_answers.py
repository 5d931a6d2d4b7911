import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from dva_lens.analyses.benchmarks import known_answers
from dva_lens.analyses.pages.answers import Answer
from dva_lens.analyses.pages.known_answers import (
    INTRODUCTION,
    Made,
    WrittenRow,
    extended,
    page,
    table,
)

from dva_lens.models.presets import PRESETS, preset

PAGE = Path(__file__).parents[3] / "docs" / "known_answers.md"


def test_a_sink_is_expected_where_nothing_else_can_be_done():
    expected = {n for n in PRESETS if known_answers.expects_sink(preset(n, known_answers.SIZE))}
    free = {"sigmoid", "relu", "softmax-off-by-one", "learned-sink", "decay"}
    unmoved = {"frozen-random", "static-learned", "random-fixed", "uniform"}
    rest = {"gated", "dva-query-gate", "switch-head", "window", "talking-heads", "dcformer"}
    without = {"glu-mixer", "generated-gate", "causal-mean"}
    assert set(PRESETS) - expected == free | unmoved | rest | without


def test_a_model_without_attention_has_nowhere_to_park(capsys):
    few = ["--steps", "1", "--seeds", "0", "1", "--patience", "1", "--presets", "causal-mean"]
    known_answers.main(few)
    row = WrittenRow(capsys.readouterr().out.splitlines()[-1])
    assert (row.cells["theory"], row.cells["parked"], row.cells["sink"]) == ("none", "–", "–")
    assert (row.attends, row.expects_sink, row.sink) == (False, False, False)
    known_answers.main([*few, "--json"])
    assert json.loads(capsys.readouterr().out)[0]["drain"] is None


def test_uniform_attention_parks_what_is_even():
    found = known_answers.answer("uniform", steps=2)
    assert found.parked == pytest.approx(found.even, rel=1e-6)


@pytest.mark.parametrize("name", ["transformer", "mqa", "dva"])
def test_an_untrained_model_neither_copies_nor_parks(name):
    found = known_answers.answer(name, steps=1)
    assert not found.solved
    assert found.copied < 0.2
    assert found.parked == pytest.approx(found.even, abs=0.02)
    assert found.parked_at_triggers == pytest.approx(found.even, abs=0.02)


def test_answers_are_printed(capsys):
    few = ["--steps", "1", "--seeds", "0", "--patience", "1", "--presets"]
    assert known_answers.main([*few, "dva-static", "--check"]) == 1
    assert "| `dva-static` | sink | 1 |" in capsys.readouterr().out
    assert known_answers.main([*few, "gated", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[0]
    assert (found["preset"], found["seed"], found["solved"]) == ("gated", 0, False)
    assert found["mass"] == pytest.approx(1)


def test_a_page_says_how_it_was_made_and_what_it_found(tmp_path):
    place = tmp_path / "page.md"
    known_answers.main(
        ["--steps", "1", "--seeds", "3", "4", "--presets", "transformer", "--out", str(place)]
    )
    written = place.read_text()
    assert "Seeds 3, 4;" in written
    assert "- After 1 steps 0 of 1 presets (not `transformer`) copy with every seed." in written
    assert "- Of the others, after 3 steps 0 of 1 presets (not `transformer`) do." in written


@pytest.mark.parametrize(
    ("parked", "drain", "said"),
    [((0.3, 0.09), (0.2, 0.9), "yes, drained"), ((0.3, 0.07), (0.2, 1.1), "no")],
)
def test_a_sink_has_to_show_with_every_seed(parked, drain, said):
    answers = [
        Answer("dva", 9, seed, True, 1.0, 0.1, 1, 0, parked[seed], 0.01, 0.04, 1.0, drain[seed])
        for seed in (0, 1)
    ]
    line = table(answers).splitlines()[-1]
    assert line.endswith(f"| {said} | `` |")
    assert f"{sum(parked) / 2:.2f} ({parked[1]:.2f}–{parked[0]:.2f})" in line


def answered(name, steps=9, seed=0, parked=0.3):
    return Answer(name, steps, seed, True, 1.0, 0.1, 1, 0, parked, 0.01, 0.04, 1.0, 0.5, "k")


def test_rows_are_added_in_order_and_the_others_stay():
    made, order = Made((0,), 60.0), ["transformer", "dva", "gated"]
    before = page([answered("transformer"), answered("gated"), answered("gated", 27)], made)
    found = extended(before, [answered("dva", parked=0.02)], made, order)
    rows = [line for line in found.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["transformer", "dva", "gated", "gated"]
    assert [row for row in rows if "dva" not in row] == [
        line for line in before.splitlines() if line.startswith("| `")
    ]
    assert "Added since, `dva`: Seeds 0; 1 minutes" in found
    assert "a sink, 2 of 3 presets (not `dva`) show one" in found
    again = extended(found, [answered("dva", parked=0.3)], made, order)
    assert again.count("| `dva` |") == again.count("Added since") == 1
    assert "a sink, 3 of 3 presets show one" in again


def test_rows_cannot_be_added_to_a_page_without_a_table():
    with pytest.raises(ValueError, match="holds no table of answers"):
        extended("# Something else\n", [answered("dva")], Made((0,), 1.0), ["dva"])


def test_what_the_page_says_is_read_off_its_rows():
    written = PAGE.read_text()
    row = re.search(r"^\| `transformer` \|.*$", written, re.MULTILINE).group()
    same = extended(written, [answered("transformer")], Made((0,), 1.0), list(PRESETS))
    ours = re.search(r"^\| `transformer` \|.*$", same, re.MULTILINE).group()
    kept = re.sub(r"\n\nAdded since, `transformer`: .*\n.*", "", same).replace(ours, row)
    assert kept.partition("## What")[0] == written.partition("## What")[0]


def stale(page):
    """Return the rows of a page whose preset, recipe or task has changed since it was written."""
    rows = re.findall(r"^\| `([\w-]+)` \| \w+ \| (\d+) \|.* \| `(\w+)` \|$", page, re.MULTILINE)
    assert {name for name, _, _ in rows} == set(PRESETS)
    keys = [(name, known_answers.key_of(name, int(steps)), key) for name, steps, key in rows]
    return list(dict.fromkeys(name for name, now, then in keys if now != then))


def test_no_row_of_the_page_is_stale():
    assert stale(PAGE.read_text()) == [], "Run `make known-answers`."


def test_a_row_is_stale_once_its_preset_changes(monkeypatch):
    changed = replace(PRESETS["gated"], make=PRESETS["transformer"].make)
    monkeypatch.setitem(PRESETS, "gated", changed)
    assert stale(PAGE.read_text()) == ["gated"]


def test_the_page_of_answers_is_about_every_preset():
    written = PAGE.read_text()
    assert [name for name in PRESETS if f"\n| `{name}` |" not in written] == []
    assert INTRODUCTION in written
