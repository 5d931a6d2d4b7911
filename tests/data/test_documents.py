import pytest

from dva_lens.data import documents
from dva_lens.data.documents import Document, corpus_of, documents_of, sections


def test_a_line_with_the_separator_ends_a_document():
    lines = ["one\n", "two\n", "<|endoftext|>\n", "<|endoftext|>\n", "three <|endoftext|>\n"]
    assert list(documents_of(lines, "a.txt")) == [
        Document("a.txt", "one\ntwo"),
        Document("a.txt#2", "three <|endoftext|>"),
    ]


def test_sections_lose_nothing_and_end_where_a_reader_pauses():
    text = "A sentence. Another one.\n\nA paragraph with words.\nA line.\n\n" * 9
    pieces = list(sections(text, 30))
    assert "".join(pieces) == text
    assert all(30 <= len(piece) < 60 for piece in pieces[:-1])
    assert all(piece.endswith("\n\n") for piece in pieces)
    assert list(sections("x" * 25, 10)) == ["x" * 10, "x" * 10, "x" * 5]


def test_a_document_too_large_for_memory_arrives_in_sections(monkeypatch):
    monkeypatch.setattr(documents, "LARGEST_DOCUMENT", 400)
    monkeypatch.setattr(documents, "LARGEST_SECTION", 100)
    lines = [f"line {number:03d}\n" for number in range(300)]
    found = list(documents_of([*lines, "<|endoftext|>\n", "small\n"], "huge"))
    assert max(len(document.text) for document in found) <= 200
    assert "\n".join(document.text for document in found[:-1]) == "".join(lines).strip()
    assert found[-1].text == "small"
    assert len({document.name for document in found}) == len(found) > 20


def test_the_hash_knows_texts_names_and_borders():
    def hashed(*pairs):
        return corpus_of("any", [Document(*pair) for pair in pairs]).sha256

    base = hashed(("a", "xy"), ("b", "z"))
    assert base == hashed(("a", "xy"), ("b", "z"))
    assert len({base, hashed(("a", "x"), ("b", "yz")), hashed(("c", "xy"), ("b", "z"))}) == 3


def test_a_single_document_becomes_sections():
    corpus = corpus_of("book", [Document("book", "A line of the book.\n" * 1000)])
    names = [document.name for document in corpus.documents]
    assert names[:2] == ["book#1", "book#2"]
    assert len(names) == len(list(corpus.documents)) == 10


def test_a_text_without_text_is_refused():
    with pytest.raises(ValueError, match=r"nothing.txt holds no text; give a file or folder"):
        corpus_of("nothing.txt", [])
