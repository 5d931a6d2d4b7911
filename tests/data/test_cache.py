import json

import numpy as np
import pytest
from small_text import small_corpus

from dva_lens.data import cache
from dva_lens.data.cache import cache_tokenizer, cache_tokens, open_cache
from dva_lens.data.tokenizer import end_token, token_ids, train_tokenizer

CORPUS = small_corpus()


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CORPUS, 300)


def test_documents_come_back_whole_and_in_order(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "CHARACTERS_AT_ONCE", 3000)
    found = cache_tokens(CORPUS, tokenizer, tmp_path)
    assert found.tokens.dtype == np.uint16
    for number, document in enumerate(CORPUS.documents):
        assert found.document(number).tolist() == token_ids(tokenizer, document.text)
        assert found.names[number] == document.name
        assert found.tokens[found.offsets[number + 1] - 1] == end_token(tokenizer)
    assert found.offsets[-1] == len(found.tokens)
    assert found.vocabulary == tokenizer.get_vocab_size()


def test_what_is_there_is_reused_and_another_text_is_not(tokenizer, tmp_path, monkeypatch):
    first = cache_tokens(CORPUS, tokenizer, tmp_path)
    other = cache_tokens(small_corpus(seed=3), tokenizer, tmp_path)
    assert other.key != first.key
    assert cache_tokens(CORPUS, train_tokenizer(CORPUS, 280), tmp_path).key != first.key
    assert len(list(tmp_path.iterdir())) == 6
    monkeypatch.setattr(cache, "_encode", None)
    again = cache_tokens(CORPUS, tokenizer, tmp_path)
    np.testing.assert_array_equal(again.tokens, first.tokens)


DAMAGE = {
    "cut": lambda binary, sidecar: binary.write_bytes(binary.read_bytes()[:-2]),
    "flipped": lambda binary, sidecar: binary.write_bytes(b"\xff" + binary.read_bytes()[1:]),
    "gone": lambda binary, sidecar: binary.unlink(),
    "broken sidecar": lambda binary, sidecar: sidecar.write_text('{"format": 1, '),
    "emptied sidecar": lambda binary, sidecar: sidecar.write_text("{}"),
    "a list": lambda binary, sidecar: sidecar.write_text("[]"),
    "a key lost": lambda binary, sidecar: sidecar.write_text('{"format": 1}'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_refused_by_name_and_written_anew(tokenizer, tmp_path, damage):
    first = cache_tokens(CORPUS, tokenizer, tmp_path)
    before = np.array(first.tokens)
    damage(tmp_path / f"{first.key}.bin", tmp_path / f"{first.key}.json")
    with pytest.raises(ValueError, match=rf"{first.key}.*; delete it"):
        open_cache(tmp_path, first.key)
    np.testing.assert_array_equal(cache_tokens(CORPUS, tokenizer, tmp_path).tokens, before)


def test_a_writer_that_dies_leaves_nothing(tokenizer, tmp_path, monkeypatch):
    def die(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_digest", die)
    with pytest.raises(KeyboardInterrupt):
        cache_tokens(CORPUS, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_sidecar_says_where_the_tokens_come_from(tokenizer, tmp_path):
    found = cache_tokens(CORPUS, tokenizer, tmp_path)
    about = json.loads((tmp_path / f"{found.key}.json").read_text())
    assert about["corpus_sha256"] == CORPUS.sha256


def test_a_tokenizer_is_learned_once(tokenizer, tmp_path, monkeypatch):
    first = cache_tokenizer(CORPUS, 300, tmp_path)
    assert first.to_str() == tokenizer.to_str()
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(cache, "train_tokenizer", None)
    assert cache_tokenizer(CORPUS, 300, tmp_path).to_str() == tokenizer.to_str()
    with pytest.raises(TypeError):  # what was not learned yet
        cache_tokenizer(CORPUS, 301, tmp_path)
    monkeypatch.undo()
    file.write_text(file.read_text().replace("Ġ", "x", 1))
    assert cache_tokenizer(CORPUS, 300, tmp_path).to_str() == tokenizer.to_str()
