import pytest
from small_text import small_corpus

from dva_lens.data.tokenizer import (
    end_token,
    load_tokenizer,
    save_tokenizer,
    starting,
    token_ids,
    token_texts,
    tokenizer_hash,
    train_tokenizer,
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(small_corpus(), 300)


def test_every_text_survives_the_round_trip(tokenizer):
    for text in ("attention sinks", " ümläut \t日本語 🦊\n", "\x00\x7f", ""):
        assert tokenizer.decode(token_ids(tokenizer, text)) == text


def test_the_same_text_gives_the_same_tokenizer(tokenizer):
    again = train_tokenizer(small_corpus(), 300)
    assert tokenizer_hash(again) == tokenizer_hash(tokenizer)
    assert tokenizer_hash(train_tokenizer(small_corpus(seed=1), 290)) != tokenizer_hash(tokenizer)


def test_frequent_words_become_tokens_and_the_end_is_token_zero(tokenizer):
    assert end_token(tokenizer) == 0
    assert token_texts(tokenizer, token_ids(tokenizer, "key value")) == ["key", " value"]
    assert token_texts(tokenizer, [0]) == ["<|endoftext|>"]
    assert 257 < tokenizer.get_vocab_size() <= 300


def test_a_copy_begins_every_text_with_the_end_of_another(tokenizer):
    started, text = starting(tokenizer), "and then"
    plain = tokenizer.encode(text).ids
    assert started.encode(text).ids == [0, *plain]
    assert started.encode(text, add_special_tokens=False).ids == plain
    assert tokenizer.encode(text).ids == plain


def test_it_is_kept_as_a_file(tokenizer, tmp_path):
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    assert tokenizer_hash(load_tokenizer(tmp_path / "tokenizer.json")) == tokenizer_hash(tokenizer)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer.json' is not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_tokenizers_of_transformers_give_no_special_tokens(tokenizer):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    assert token_ids(wrapped, "key value") == token_ids(tokenizer, "key value")
    assert token_texts(wrapped, [0]) == ["<|endoftext|>"]


def test_a_vocabulary_below_the_bytes_is_refused():
    with pytest.raises(ValueError, match=r"at least 257 .* got 100"):
        train_tokenizer(small_corpus(), 100)
