import ast
import os
import socket
from pathlib import Path

import pytest
from small_text import small_corpus

from dva_lens.data.tokenizer import save_tokenizer, train_tokenizer
from dva_lens.models.checkpoint import FILES, save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset
from dva_lens.models.size import Size
from dva_lens.results.tables import write_csv
from dva_lens.writing import write_text, write_whole

ROOT = Path(__file__).parents[1]
SIZE = Size(layers=1, width=8, heads=1, vocabulary=8, context=8)
WRITERS = {"write_text", "write_bytes"}
FREE = {"dva_lens/writing.py", "dva_lens/models/checkpoint.py", "docs/conf.py"}
"""Where files are written otherwise: here, and into folders made for them a moment before."""


@pytest.fixture(params=["pipe", "socket", "folder", "link to a pipe"])
def irregular(request, tmp_path, monkeypatch):
    """Something in a temporary folder that is no regular file."""
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    place = tmp_path / "taken.csv"
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(place.name)
            yield place
        return
    if request.param == "folder":
        place.mkdir()
    elif request.param == "pipe":
        os.mkfifo(place)
    else:
        os.mkfifo(tmp_path / "pipe")
        place.symlink_to("pipe")
    yield place


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(small_corpus(documents=4, words=40), 270)


def test_only_regular_files_are_replaced(irregular, tokenizer):
    before, held = irregular.lstat(), sorted(irregular.parent.iterdir())
    for write in (
        lambda: write_text(irregular, "x"),
        lambda: write_csv([{"a": 1}], irregular),
        lambda: save_tokenizer(tokenizer, irregular),
    ):
        with pytest.raises(ValueError, match=r"taken.csv is .*only regular files are replaced"):
            write()
    assert irregular.lstat() == before
    assert sorted(irregular.parent.iterdir()) == held


@pytest.mark.parametrize("name", FILES)
def test_a_checkpoint_replaces_only_regular_files(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises((FileExistsError, ValueError), match=name):
        save_checkpoint(tmp_path, build(preset("transformer", SIZE), seed=0))
    assert (tmp_path / name).is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_stays_and_the_file_it_points_to_is_replaced(tmp_path):
    (tmp_path / "file").write_text("before")
    (tmp_path / "link").symlink_to("file")
    assert write_text(tmp_path / "link", "after") == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "after"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_file_as_it_was_and_no_draft(tmp_path, error):
    def fail(draft):
        draft.write_text("half")
        raise error

    file = tmp_path / "a [1].csv"
    file.write_text("before")
    with pytest.raises(type(error)):
        write_whole(file, fail)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "before"


def test_a_draft_of_a_killed_process_goes_with_the_next_one(tmp_path):
    file = tmp_path / "a [1].csv"
    drafts = []
    for _ in range(2):  # the second dies as well, the third does not
        child = os.fork()
        if not child:
            write_whole(file, lambda draft: (draft.write_text("half"), os._exit(9)))
        os.waitpid(child, 0)
        drafts.append([path.name for path in tmp_path.iterdir()])
    assert [len(names) for names in drafts] == [1, 1]
    assert write_text(file, "whole").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_draft_of_a_running_process_stays(tmp_path):
    def write(draft):
        write_text(tmp_path / "b.csv", "of another file")
        assert draft.exists()

    write_whole(tmp_path / "a.csv", lambda draft: (draft.write_text("a"), write(draft)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def writes(tree):
    """Yield the lines in which something writes a file by itself, not through a draft."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        modes = [word.value for word in node.args if isinstance(word, ast.Constant)]
        opens = node.func.attr == "open" and any(str(mode)[:1] in "wax" for mode in modes)
        drafted = ast.unparse(node.func).startswith("draft.")
        if (node.func.attr in WRITERS or opens) and not drafted:
            yield node.lineno


def test_every_file_is_written_through_one_function():
    planted = "path.write_text(x)\npath.open('wb')\npath.open('rb')\ndraft.write_text(x)"
    assert list(writes(ast.parse(planted))) == [1, 2]
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for folder in ("dva_lens", "app", "analyses", "docs")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if str(file.relative_to(ROOT)) not in FREE
        for line in writes(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []
