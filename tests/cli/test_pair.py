import json

import pytest

import dva_lens as lens
from dva_lens.cli.keeping import _file
from dva_lens.cli.pair import _place

AT = ("--layer", 1, "--head", 1, "--query", 5, "--key", 2)


def test_what_is_said_is_what_python_returns(call, place, tmp_path):
    out = tmp_path / "found.json"
    result = call("pair", place / "own", *AT, "--text", place / "notes.txt", "--out", out)
    assert result.exit_code == 0, result.stderr
    text = (place / "notes.txt").read_text()
    found = lens.pair(lens.load(place / "own"), text, layer=1, head=1, query=5, key=2)
    assert json.loads(out.read_text()) == pytest.approx(found.to_dict())
    assert f"makes the logit {found.logit:.4g}" in result.stdout
    assert f"token 5 {found.query_token!r} looks at token 2" in result.stdout
    assert f"of {found.visible} visible keys" in result.stdout
    printed = call("pair", place / "own", *AT, "--text", place / "notes.txt", "--json")
    assert json.loads(printed.stdout)["weight"] == pytest.approx(found.weight)


def test_a_key_that_is_not_seen_is_named(refused, place):
    words = ("--layer", 0, "--query", 2, "--key", 5, "--text", place / "notes.txt")
    assert "Query 2 does not see key 5" in refused("pair", place / "own", *words)
    assert "Missing option '--query'" in refused("pair", place / "own", "--layer", 0, code=2)


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        (1, ""),
        (2, "2nd "),
        (3, "3rd "),
        (4, "4th "),
        (11, "11th "),
        (22, "22nd "),
        (113, "113th "),
    ],
)
def test_places_are_read_as_they_are_spoken(rank, said):
    assert _place(rank) == said


def test_a_pair_of_a_kept_layer_needs_no_model(call, place, tmp_path, monkeypatch):
    words = ("--text", place / "notes.txt", "--keep", tmp_path, "--json", "--layer", 1)
    at = ("--query", 9, "--key", 2)
    first = call("pair", place / "own", *words, *at)
    monkeypatch.setattr("dva_lens.cli.keeping.opened_model", None)
    assert call("pair", place / "own", *words, *at).stdout == first.stdout
    other = call("pair", place / "own", *words, "--head", 1, *at)
    assert json.loads(other.stdout)["head"] == 1


def test_a_kept_layer_is_that_of_the_files_a_name_stands_for(tmp_path, monkeypatch):
    """A name on the hub stands for another folder once its branch has moved."""
    files = []
    for commit in ("1f", "2f"):
        monkeypatch.setattr(
            "dva_lens.loading.snapshot_download", lambda *_, to=commit, **__: tmp_path / to
        )
        folder = tmp_path / commit
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_text("{}")
        files.append(_file(tmp_path, "someone/model", "text", revision=None))
    assert None not in files
    assert files[0] != files[1]
