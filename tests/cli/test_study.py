import json
import shlex
from pathlib import Path

import pytest
from small_text import small_corpus

from dva_lens.cli.study import say_next
from dva_lens.reports.findings import findings
from dva_lens.results.archive import open_archive


@pytest.fixture
def text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    for document in small_corpus(documents=20, words=120).documents:
        (folder / f"{document.name}.txt").write_text(document.text)
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A file that describes the smallest study."""
    file = tmp_path / "tiny.yaml"
    study = {
        "presets": ["transformer", "dva"],
        "seeds": [0],
        "size": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 270, "context": 32},
        "recipe": {"steps": 3, "batch": 2, "warmup": 1, "measurements": 1},
        "sequences": 3,
    }
    file.write_text(json.dumps(study))
    return file


def test_a_study_ends_with_where_everything_is_and_the_report_follows(call, tiny, text, tmp_path):
    out = tmp_path / "out"
    result = call("study", "run", tiny, "--out", out, "--text", text, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    assert str(out / "archive.zarr") in result.stdout
    assert str(findings(open_archive(out))) in result.stdout
    assert f"dva-lens explore {out}" in result.stdout
    assert "dva-3 (2 of 2): finished, held-out loss" in result.stderr
    assert [one.label for one in open_archive(out).runs] == ["transformer-3", "dva-3"]
    result = call("report", out, "--out", tmp_path / "report.html")
    assert result.exit_code == 0, result.stderr
    assert call("export", out).exit_code == 0
    assert call("compare", out, "--baseline", "transformer").exit_code == 0


def test_wrong_words_are_refused_before_anything_is_written(refused, tiny, tmp_path):
    out = tmp_path / "out"
    assert "pass one of quick" in refused("study", "run", "quik", "--out", out)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(tiny.read_text().replace('"dva"', '"dba"'))
    assert "Unknown preset 'dba' (did you mean 'dva'?)" in refused(
        "study", "run", wrong, "--out", out
    )
    wrong.write_text(tiny.read_text().replace('"heads": 2', '"heads": 3'))
    assert "heads" in refused("study", "run", wrong, "--out", out)
    assert "--out" in refused("study", "run", tiny, code=2)
    assert not out.exists()


def test_a_folder_of_somebody_else_is_left_alone(refused, tiny, tmp_path):
    assert "holds something else" in refused("study", "run", tiny, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no text at"),
        (b"", "holds no text"),
        (b"\x00\x01\x02" * 999, "is binary"),
        (b"\xff\xfe bytes", "is not UTF-8"),
        (b"a few words", ""),
    ],
    ids=["missing", "empty", "binary", "other encoding", "short"],
)
def test_a_text_that_cannot_be_used_is_one_sentence(refused, tiny, tmp_path, content, message):
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content)
    found = refused("study", "run", tiny, "--out", tmp_path / "out", "--text", file)
    assert message in found


def test_a_text_without_a_name_is_refused(refused, tiny, tmp_path):
    said = refused("study", "run", tiny, "--out", tmp_path / "out", "--text", "", code=2)
    assert "--text must not be empty" in said
    assert not (tmp_path / "out").exists()


def test_commands_to_copy_are_written_for_a_shell(capsys):
    say_next(Path("out dir ü"))
    report, explore = (line.split(":", 1)[1] for line in capsys.readouterr().out.splitlines())
    assert shlex.split(report)[2:] == ["out dir ü", "--out", "out dir ü/report.html"]
    assert shlex.split(explore) == ["dva-lens", "explore", "out dir ü"]
