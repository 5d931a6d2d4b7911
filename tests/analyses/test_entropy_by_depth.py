"""The batch script answers its question from an archive."""

import pytest
from dva_lens.analyses.entropy_by_depth import QUESTION, main
from fakes import MODELS, fake_archive


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("study"))


def test_the_answer_names_every_model_and_its_layers(folder, tmp_path, capsys):
    out = tmp_path / "entropy.html"
    assert main([str(folder), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert QUESTION in page
    assert all(f"<strong>{model}:</strong>" in page for model in MODELS)
    assert "most concentrated in layer" in page
    assert "no claim about architectures" in page
    assert capsys.readouterr().out == f"Report: {out}\n"


def test_one_model_has_nothing_to_be_compared_with(tmp_path):
    folder = fake_archive(tmp_path / "one", models=("dva",), seeds=1)
    assert main([str(folder), "--out", str(tmp_path / "entropy.html")]) == 0
    assert "nothing to compare" in (tmp_path / "entropy.html").read_text(encoding="utf-8")


def test_a_folder_without_archive_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "runs/quick --out entropy.html" in capsys.readouterr().out
