import pytest

from dva_lens.data.documents import Document, corpus_of
from dva_lens.data.split import split


def corpus(texts):
    return corpus_of("any", [Document(f"d{n}", text) for n, text in enumerate(texts)])


def texts(part):
    return [document.text for document in part.documents]


def test_the_parts_are_disjoint_whole_and_about_the_share():
    every = [f"text {number}" for number in range(1000)]
    parts = split(corpus(every), held_out=0.2)
    assert sorted(texts(parts.train) + texts(parts.held_out)) == sorted(every)
    assert len(texts(parts.held_out)) == pytest.approx(200, abs=5 * 13)
    assert parts.train.sha256 != parts.held_out.sha256 != corpus(every).sha256


def test_a_document_stays_on_its_side():
    every = [f"text {number}" for number in range(200)]
    before = set(texts(split(corpus(every)).held_out))
    after = set(texts(split(corpus([*every[::-1], *(f"new {n}" for n in range(99))])).held_out))
    assert before == {text for text in after if text.startswith("text")}


def test_copies_of_a_text_end_on_one_side():
    parts = split(corpus(["same"] * 5 + ["other"]))
    assert sorted({*texts(parts.train)} & {*texts(parts.held_out)}) == []


@pytest.mark.parametrize("share", [1e-9, 0.5, 1 - 1e-9])
def test_both_sides_get_something(share):
    parts = split(corpus(["one", "two"]), held_out=share)
    assert len(texts(parts.train)) == len(texts(parts.held_out)) == 1


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="at least two different documents; any has 1"):
        split(corpus(["short"]))
    with pytest.raises(ValueError, match="any has 3 of the same text"):
        split(corpus(["same"] * 3))
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        split(corpus(["one", "two"]), held_out=1.5)
