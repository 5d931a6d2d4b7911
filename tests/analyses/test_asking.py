"""Scripts about one model: each prints its table, and refuses in one sentence."""

import csv
import io

import numpy as np
import pytest
from dva_lens.analyses import (
    dynamic_values,
    head_importance,
    lambda_sweep,
    path_length,
    sink_atlas,
)
from own_models import tiny
from tokens import WORDS, word_tokenizer

from dva_lens.models.checkpoint import save_checkpoint

SCRIPTS = (dynamic_values, head_importance, path_length, sink_atlas)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "dva"
    save_checkpoint(folder, tiny("dva", context=32, layers=2), word_tokenizer(), {})
    return folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS[4:], 48)) for _ in range(6)]
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text("\n<|endoftext|>\n".join(texts))
    return file


def printed(script, capsys, *words):
    assert script.main([str(word) for word in words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_table_has_its_columns_whichever_way_it_is_printed(script, folder, text, capsys):
    plain = printed(script, capsys, folder, "--text", text)
    rows = list(csv.reader(io.StringIO(printed(script, capsys, folder, "--text", text, "--csv"))))
    assert tuple(rows[0]) == script.HEADS
    assert all(len(row) == len(script.HEADS) for row in rows)
    assert len(rows) == len(plain.splitlines())
    assert len(rows) > 1


def test_heads_are_ordered_by_what_they_are_worth(folder, text, capsys):
    words = (folder, "--text", text, "--csv", "--by", "mean")
    rows = list(csv.DictReader(io.StringIO(printed(head_importance, capsys, *words))))
    growth = [float(row["growth"]) for row in rows]
    assert growth == sorted(growth, reverse=True)
    assert {(row["layer"], row["head"]) for row in rows} == {("0", "0"), ("1", "0")}
    assert all(float(row["from"]) <= float(row["growth"]) <= float(row["to"]) for row in rows)


def test_values_of_pairs_show(folder, text, capsys):
    words = (folder, "--text", text, "--csv")
    rows = list(csv.DictReader(io.StringIO(printed(dynamic_values, capsys, *words))))
    assert all(float(row["interaction"]) > 0 for row in rows)
    assert all(float(row["dynamism"]) > 0 for row in rows)


def test_a_value_residual_is_lowered_from_what_it_was(tmp_path, text, capsys):
    saved = tmp_path / "model"
    model = tiny("resformer-identity", context=32, layers=2)
    save_checkpoint(saved, model, word_tokenizer(), {})
    words = (saved, "--text", text, "--csv")
    rows = list(csv.DictReader(io.StringIO(printed(lambda_sweep, capsys, *words))))
    assert [row["weight kept"] for row in rows] == ["1", "0.75", "0.5", "0.25", "0"]
    moved = [float(row["divergence"].split()[0]) for row in rows]
    assert moved[0] == 0
    assert moved == sorted(moved)
    assert moved[-1] > 0


def test_a_model_without_value_residual_has_none_to_lower(folder, text, capsys):
    assert lambda_sweep.main([str(folder), "--text", str(text)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_cannot_be_read_is_one_sentence(script, tmp_path, text, capsys):
    assert script.main([str(tmp_path / "nothing"), "--text", str(text)]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "There is no folder" in found.err
    assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_an_example(script, capsys):
    with pytest.raises(SystemExit, match="0"):
        script.main(["--help"])
    assert "python -m dva_lens.analyses" in capsys.readouterr().out
