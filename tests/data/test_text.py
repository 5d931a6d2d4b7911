import gzip
import io
import lzma
import os
import sys

import pytest

from dva_lens.data.corpus import open_corpus, stdin_corpus, text_corpus
from dva_lens.data.documents import Document

TEXT = "First story.\n<|endoftext|>\nZweite Geschichte: äöü.\n"
DOCUMENTS = ("First story.", "Zweite Geschichte: äöü.")
COMPRESSED = {"t.txt": bytes, "t.txt.gz": gzip.compress, "t.txt.xz": lzma.compress}


@pytest.mark.parametrize("name", COMPRESSED)
def test_plain_and_compressed_files_read_alike(tmp_path, name):
    (tmp_path / name).write_bytes(COMPRESSED[name](TEXT.encode()))
    corpus = text_corpus(tmp_path / name)
    assert tuple(document.text for document in corpus.documents) == DOCUMENTS
    assert list(corpus.documents) == list(corpus.documents)


def test_a_folder_gives_its_files_in_order_and_leaves_out_hidden_ones(tmp_path):
    for name in ("b.txt", "a/z.txt", ".hidden/x.txt", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}")
    found = list(text_corpus(str(tmp_path)).documents)
    assert found == [Document("a/z.txt", "text of a/z.txt"), Document("b.txt", "text of b.txt")]


def test_the_hash_does_not_depend_on_the_place(tmp_path):
    for place in ("one", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.txt").write_text(TEXT)
    one, other = text_corpus(tmp_path / "one"), text_corpus(tmp_path / "other")
    assert one.sha256 == other.sha256 == text_corpus(tmp_path / "one" / "a.txt").sha256


def test_a_byte_order_mark_and_carriage_returns_are_no_text(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert tuple(d.text for d in text_corpus(tmp_path / "t.txt").documents) == DOCUMENTS


def test_standard_input_is_read_once_and_kept():
    corpus = stdin_corpus(io.BytesIO(TEXT.encode()))
    assert tuple(document.text for document in corpus.documents) == DOCUMENTS
    assert list(corpus.documents) == list(corpus.documents)


@pytest.mark.parametrize("closed", [True, False])
def test_standard_input_that_is_closed_is_said_to_be(monkeypatch, closed):
    class Gone(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, *_):
            raise OSError(9, "Bad file descriptor")

    gone = io.TextIOWrapper(io.BufferedReader(Gone()))
    monkeypatch.setattr(sys, "stdin", None if closed else gone)
    with pytest.raises(ValueError, match=r"^standard input is closed; give it a text"):
        open_corpus("-")


def test_a_name_of_any_bytes_is_read_and_written_as_text(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b"/te\xffxt")
    with open(path, "w") as file:  # noqa: PTH123 - as a person names it
        file.write(TEXT)
    corpus = text_corpus(path)
    assert corpus.name.endswith(r"te\xffxt")
    assert [one.name for one in corpus.documents] == [r"te\xffxt", r"te\xffxt#2"]
    assert [one.name for one in text_corpus(tmp_path).documents] == [r"te\xffxt", r"te\xffxt#2"]


def test_what_is_neither_file_nor_folder_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipe' is a device, a pipe or a socket"):
        text_corpus(tmp_path / "pipe")


BAD = {
    "empty": ("e.txt", b"", ValueError, "e.txt holds no text"),
    "blank": ("e.txt", b" \n\n ", ValueError, "e.txt holds no text"),
    "nul": ("b.txt", b"ab\0cd", ValueError, "b.txt' is binary .it holds NUL bytes."),
    "latin": ("l.txt", b"caf\xe9 au lait", ValueError, "l.txt' is not UTF-8"),
    "not gzip": ("g.gz", b"plain text", ValueError, "g.gz' is damaged or not what its ending"),
    "cut gzip": ("g.gz", gzip.compress(b"x" * 999)[:-9], ValueError, "g.gz' is damaged"),
    "bad gzip": ("g.gz", gzip.compress(b"")[:10] + b"\xff" * 9, ValueError, "is damaged"),
    "not xz": ("x.xz", b"plain text", ValueError, "x.xz' is damaged"),
    "cut xz": ("x.xz", lzma.compress(b"x" * 999)[:-9], ValueError, "x.xz' is damaged"),
    "binary gz": ("g.gz", gzip.compress(b"\xff\xfe\x00\x01"), ValueError, "g.gz' is not UTF-8"),
}


@pytest.mark.parametrize(("name", "content", "error", "message"), BAD.values(), ids=BAD)
def test_what_is_no_text_is_refused_in_one_sentence(tmp_path, name, content, error, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        text_corpus(tmp_path / name)


def test_a_place_without_text_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no text at .*absent"):
        open_corpus(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="is a folder without files"):
        open_corpus(str(tmp_path))
    with pytest.raises(ValueError, match="standard input holds no text"):
        stdin_corpus(io.BytesIO(b""))


def test_a_single_document_stays_whole_where_that_is_asked_for(tmp_path):
    (tmp_path / "one.txt").write_text("A sentence of a long text. " * 400)
    cut, whole = text_corpus(tmp_path / "one.txt"), open_corpus(str(tmp_path), whole=True)
    assert len(list(cut.documents)) > 1
    assert [document.name for document in whole.documents] == ["one.txt"]
    assert cut.sha256 != whole.sha256
    with pytest.raises(ValueError, match="Only a file or a folder of text can stay whole"):
        open_corpus(None, whole=True)
