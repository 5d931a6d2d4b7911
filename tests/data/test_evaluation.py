import numpy as np
import pytest
from small_text import small_corpus

from dva_lens.data.cache import TokenCache
from dva_lens.data.evaluation import TEXTS, encode, evaluation_text
from dva_lens.data.tokenizer import token_ids, train_tokenizer

SIZES = (5, 12, 40, 100, 9)


@pytest.fixture(scope="module")
def cache():
    """Documents of the sizes above; token 1000 d + i is token i of document d, 0 ends it."""
    documents = [np.r_[1000 * d + np.arange(1, n + 1), 0] for d, n in enumerate(SIZES, start=1)]
    offsets = np.cumsum([0, *(len(document) for document in documents)])
    names = tuple(f"d{number}" for number in range(1, 6))
    return TokenCache(np.concatenate(documents), offsets, names, 6000, "key")


def test_sequences_lie_within_documents_and_the_first_begins_one(cache):
    found = evaluation_text(cache, length=10, sequences=50, per_document=3)
    assert found.documents == ("d2", "d3", "d3", "d3", "d4", "d4", "d4")
    assert (np.diff(found.tokens) == 1).all()
    assert found.tokens[:, 0].tolist() == [2001, 3001, 3014, 3027, 4001, 4034, 4067]
    assert (found.lengths == 10).all()


def test_documents_come_before_second_sequences_of_one(cache):
    assert evaluation_text(cache, length=10, sequences=3).documents == ("d2", "d3", "d4")
    assert evaluation_text(cache, length=10, sequences=4).documents == ("d2", "d3", "d3", "d4")
    assert evaluation_text(cache, length=5, sequences=2, per_document=1).documents == ("d1", "d3")


def test_a_start_token_takes_the_first_place(cache):
    found = evaluation_text(cache, length=13, sequences=9, per_document=1, start=0)
    assert found.start
    assert found.tokens[:, :2].tolist() == [[0, 2001], [0, 3001], [0, 4001]]
    assert found.tokens.shape == (3, 13)


def test_text_shorter_than_one_sequence_is_refused_with_the_numbers(cache):
    with pytest.raises(ValueError, match="of 101 tokens: the longest of 5 has 100"):
        evaluation_text(cache, length=101, sequences=1)
    with pytest.raises(ValueError, match="must be positive, got 4, 0 and 2"):
        evaluation_text(cache, length=4, sequences=0)


@pytest.fixture(params=TEXTS.values(), ids=TEXTS)
def control(request):
    return request.param


@pytest.mark.parametrize("start", [None, 0])
def test_controls_keep_everything_but_the_order(cache, control, start):
    text = evaluation_text(cache, length=10, sequences=9, start=start)
    before = text.tokens.copy()
    found = control(text, 7)
    np.testing.assert_array_equal(text.tokens, before)
    np.testing.assert_array_equal(found.tokens, control(text, 7).tokens)
    assert (found.documents, found.start) == (text.documents, text.start)
    assert all(set(a) <= set(b) for a, b in zip(found.tokens, text.tokens, strict=True))
    if start is not None:
        assert (found.tokens[:, 0] == 0).all()


def test_each_control_destroys_what_it_says(cache):
    text = evaluation_text(cache, length=10, sequences=9, start=0)
    shuffled, repeated = TEXTS["shuffled"](text, 0), TEXTS["repeated"](text, 0)
    assert (shuffled.tokens != text.tokens).any(axis=1).all()
    np.testing.assert_array_equal(np.sort(shuffled.tokens), np.sort(text.tokens))
    assert (np.ptp(repeated.tokens[:, 1:], axis=1) == 0).all()
    assert [shuffled.name, repeated.name] == ["shuffled", "repeated"]


def test_controls_leave_padding_alone():
    tokenizer = train_tokenizer(small_corpus(), 300)
    text = encode(tokenizer, "key value query " * 3, length=8)
    assert text.lengths[-1] < 8
    for control in TEXTS.values():
        assert (control(text, 0).tokens[-1, text.lengths[-1] :] == 0).all()


def test_windows_cover_a_text():
    tokenizer = train_tokenizer(small_corpus(), 300)
    text = "attention sink drain key value layer head query residual " * 4
    ids = token_ids(tokenizer, text)
    whole = encode(tokenizer, text, length=1000)
    assert whole.tokens.tolist() == [ids]
    cut = encode(tokenizer, text, length=10)
    assert (
        np.concatenate([row[:n] for row, n in zip(cut.tokens, cut.lengths, strict=True)]).tolist()
        == ids
    )
    overlapping = encode(tokenizer, text, length=10, stride=4)
    assert overlapping.tokens[1].tolist() == ids[4:14]
    assert overlapping.lengths[-1] >= 2
    last = overlapping.tokens[-1, : overlapping.lengths[-1]]
    assert last.tolist() == ids[-len(last) :]


def test_a_text_or_window_too_short_is_refused():
    tokenizer = train_tokenizer(small_corpus(), 300)
    with pytest.raises(ValueError, match="The text has 0 tokens"):
        encode(tokenizer, "", length=8)
    with pytest.raises(ValueError, match="stride between 1 and length, got 4 and 5"):
        encode(tokenizer, "some text", length=4, stride=5)
