"""`dva-lens measure` on a model with an encoder and a decoder: one run per part."""

import pytest
import two_towers
from tokens import word_tokenizer, wrapped

from dva_lens.results.archive import open_archive

PARTS = ["mine · encoder", "mine · decoder", "mine · cross"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small model with two towers and its tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    two_towers.built("t5").float().save_pretrained(folder)
    wrapped(word_tokenizer(end=True)).save_pretrained(folder)
    return folder


@pytest.fixture
def texts(tmp_path):
    files = tmp_path / "source.txt", tmp_path / "target.txt"
    files[0].write_text("a b c d e\nf g h\ni j k l\n")
    files[1].write_text("z y x\nw v u t\ns r\n")
    return files


def test_every_part_is_a_run_that_everything_reads(call, model, texts, tmp_path):
    out = tmp_path / "out"
    source, target = texts
    words = ("--text", source, "--target", target, "--out", out)
    result = call("measure", model, *words)
    assert result.exit_code == 0, result.stderr
    archive = open_archive(out)
    assert [run.label for run in archive.runs] == PARTS
    cross = archive.dataset("mine · cross")
    assert cross.attrs["part"] == "cross"
    assert cross["document"].values.tolist() == ["line 1", "line 2", "line 3"]
    assert call("measure", model, *words).exit_code == 0
    assert len(open_archive(out).runs) == 3
    assert call("report", out, "--out", tmp_path / "report.html").exit_code == 0
    assert call("export", out).exit_code == 0


def test_without_a_target_the_encoder_is_measured_and_that_is_said(call, model, texts, tmp_path):
    out = tmp_path / "out"
    result = call("measure", model, "--text", texts[0], "--out", out)
    assert result.exit_code == 0, result.stderr
    assert [run.label for run in open_archive(out).runs] == PARTS[:1]
    assert "decoder and cross-attention need a target: pass --target" in result.stdout


def test_files_of_unequal_length_are_refused(call, model, texts, tmp_path):
    texts[1].write_text("z y x\n")
    result = call(
        "measure", model, "--text", texts[0], "--target", texts[1], "--out", tmp_path / "out"
    )
    assert result.exit_code == 1
    assert "source.txt has 3 lines and" in result.stderr
    assert "has 1; every source needs one target" in " ".join(result.stderr.split())
