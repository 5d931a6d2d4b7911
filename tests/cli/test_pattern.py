import json

import numpy as np
import pytest

import dva_lens as lens

AT = ("--layer", 1, "--head", 1, "--queries", "3:12", "--keys", ":12", "--resolution", 4)


def test_what_is_written_is_what_python_returns(call, place, tmp_path):
    out = tmp_path / "tiles.json"
    given = ("--text", place / "notes.txt", "--out", out)
    result = call("pattern", place / "own", *AT, *given)
    assert result.exit_code == 0, result.stderr
    assert "pattern: 3 of 3 parts" in result.stderr
    found = json.loads(out.read_text())
    text = (place / "notes.txt").read_text()
    due = lens.pattern_tiles(
        lens.load(place / "own"), text, layer=1, heads=[1], queries=slice(3, 12),
        keys=slice(12), resolution=(4, 4), sequence=0,
    )  # fmt: skip
    assert found["queries"] == [3, 6, 9, 12]
    assert found["keys"] == [0, 3, 6, 9, 12]
    for name in ("mean", "highest"):
        np.testing.assert_allclose(np.array(found[name], float), due[name].values[0], rtol=1e-5)
    assert found["seen"] == due["seen"].values.tolist()
    assert found["tokens"] == due["token"].values.tolist()
    assert "queries 3-11, keys 0-11 in 3 x 4 tiles" in result.stdout
    assert "queries 3-5 at keys 0-2: mean " in result.stdout


@pytest.mark.parametrize("span", ["5", "a:b", "1:2:3", "-1:4"])
def test_positions_that_are_none_are_named(refused, place, span):
    words = ("--layer", 0, f"--queries={span}", "--text", place / "notes.txt")
    assert "takes START:STOP" in refused("pattern", place / "own", *words, code=2)


def test_a_sequence_that_is_not_there_is_named(refused, place):
    words = ("--layer", 0, "--sequence", 7, "--text", place / "notes.txt")
    assert "sequence must be one of 0 to" in refused("pattern", place / "own", *words)


def test_another_look_at_a_kept_layer_opens_no_model(call, place, tmp_path, monkeypatch):
    words = ("--text", place / "notes.txt", "--keep", tmp_path / "layers")
    outs = [tmp_path / name for name in ("first.json", "second.json")]
    assert call("pattern", place / "own", *AT, *words, "--out", outs[0]).exit_code == 0
    opened = []
    monkeypatch.setattr("dva_lens.cli.keeping.opened_model", lambda *_, **__: opened.append(1))
    again = call("pattern", place / "own", *AT, *words, "--out", outs[1])
    assert again.exit_code == 0, again.stderr
    assert outs[0].read_text() == outs[1].read_text()
    other = ("--layer", 0, "--text", place / "notes.txt", "--keep", tmp_path / "layers")
    assert call("pattern", place / "own", *other).exit_code != 0
    assert opened == [1]
