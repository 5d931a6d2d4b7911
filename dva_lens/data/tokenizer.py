"""From text to tokens and back: byte-level BPE, learned from training documents alone."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from dva_lens.data.documents import SEPARATOR, Corpus
from dva_lens.writing import write_text

SMALLEST_VOCABULARY = 257


def train_tokenizer(corpus: Corpus, vocabulary: int) -> Tokenizer:
    """Learn a byte-level BPE of at most `vocabulary` tokens; the same text gives the same tokens.

    Token 0 ends documents. Every text can be encoded, because all bytes are tokens. A short text
    may hold fewer pairs than asked for: read the size off the tokenizer, not off the request.

    Raises
    ------
    ValueError
        `vocabulary` is too small for all bytes and the token that ends a document.
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocabulary must be at least {SMALLEST_VOCABULARY} (the bytes and the end of a "
            f"document), got {vocabulary}."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = (document.text for document in corpus.documents)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def starting(tokenizer: Tokenizer) -> Tokenizer:
    """Return a copy of a tokenizer that begins every text with the token that ends documents.

    Raises
    ------
    ValueError
        The tokenizer has no such token.
    """
    token, found = end_token(tokenizer), Tokenizer.from_str(tokenizer.to_str())
    found.post_processor = processors.TemplateProcessing(
        single=f"{SEPARATOR} $A", special_tokens=[(SEPARATOR, token)]
    )
    return found


def save_tokenizer(tokenizer: Tokenizer, file: str | Path) -> None:
    """Write a tokenizer as `tokenizer.json`, readable by every Hugging Face library."""
    write_text(file, tokenizer.to_str(pretty=True))


def load_tokenizer(file: str | Path) -> Tokenizer:
    """Read a tokenizer from a `tokenizer.json`.

    Raises
    ------
    ValueError
        The file is not a tokenizer.
    """
    text = Path(file).read_text(encoding="utf-8")
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception
        raise ValueError(f"{str(file)!r} is not a tokenizer ({error}).") from error


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """Return a hash of everything that decides how a tokenizer cuts text."""
    return hashlib.sha256(tokenizer.to_str().encode()).hexdigest()


def end_token(tokenizer: Tokenizer) -> int:
    """Return the token that ends a document, or say that the tokenizer has none.

    Raises
    ------
    ValueError
        The tokenizer has no such token.
    """
    found = tokenizer.token_to_id(SEPARATOR)
    if found is None:
        raise ValueError(f"The tokenizer has no {SEPARATOR} token; train it with train_tokenizer.")
    return found


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text without special tokens.

    Takes tokenizers of this package and those of `transformers`, whose own default may add some.
    """
    encoded = tokenizer.encode(text, add_special_tokens=False)
    return list(getattr(encoded, "ids", encoded))


def token_texts(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """Return what each token reads as on its own; part of a character reads as a question mark."""
    return [tokenizer.decode([int(token)], skip_special_tokens=False) for token in ids]
