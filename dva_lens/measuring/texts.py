"""Texts turned into sequences: tokenised, cut into windows, special tokens around each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dva_lens.data.documents import Corpus
from dva_lens.data.tokenizer import token_ids, token_texts
from dva_lens.measuring.chat import ChatFrame
from dva_lens.measuring.sequences import Sequences, Tokens, Windowing, measurable
from dva_lens.results.schema import content_hash

SAMPLE = "a b"


def of_texts(
    texts: Sequence[tuple[str, str]],
    tokenizer: Any,
    windowing: Windowing,
    *,
    special_tokens: bool,
    frame: ChatFrame | None = None,
) -> Sequences:
    """Tokenise named texts and cut them; every window gets the tokenizer's special tokens.

    In a conversation what the chat template says stands around each window in place of these.

    Raises
    ------
    ValueError
        There is no text, or one of them has fewer than 2 tokens.
    """
    prefix, suffix = special_around(tokenizer) if special_tokens else ((), ())
    if frame is not None:
        prefix, suffix = frame.around(tokenizer)
    extra = len(prefix) + len(suffix)
    pieces, documents, sources = [], [], []
    left_out = marked = 0
    for name, text in texts:
        ids, has_special = _without(token_ids(tokenizer, text), prefix, suffix)
        marked += has_special
        if len(ids) + extra < 2 or not len(ids):
            raise ValueError(
                f"Text {name!r} has {len(ids)} tokens; measuring needs at least 2. Pass a longer "
                f"text."
            )
        cuts, lone = measurable(windowing.pieces(ids, extra)) if len(ids) > 1 else ([ids], 0)
        left_out += lone
        pieces += cuts
        documents += [name] * len(cuts)
        sources += [content_hash(text.encode())] * len(cuts)
    if not pieces:
        raise ValueError("There is no text to measure; pass at least one text of 2 tokens.")
    facts = {
        "bos": _described(tokenizer, prefix, suffix, special_tokens or frame is not None)
        + _once(marked, len(texts)),
        "chat_template": _chat(tokenizer),
        "padding_side": "right",
        **({} if frame is None else frame.facts),
        **windowing.facts(extra, left_out),
    }
    return Sequences(
        tuple(pieces), tuple(documents), prefix, suffix, facts, sources=tuple(sources)
    )


def texts_of(text: Any, documents: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return (name, text) pairs from a text, several texts, or a corpus.

    Raises
    ------
    ValueError
        The names are not as many as the texts.
    """
    if isinstance(text, Corpus):
        return [(each.name, each.text) for each in text.documents]
    texts = [text] if isinstance(text, str) else list(text)
    names = list(documents) if documents else [f"text {i}" for i in range(len(texts))]
    if documents is None and isinstance(text, str):
        names = ["text"]
    if len(names) != len(texts):
        raise ValueError(f"documents must name each of {len(texts)} texts, got {len(names)}.")
    return list(zip(names, texts, strict=True))


def is_text(data: Any) -> bool:
    """Say whether something is a text, several texts or a corpus."""
    if isinstance(data, str | Corpus):
        return True
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(t, str) for t in data)


def special_around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that a tokenizer puts before and after a text."""
    plain = token_ids(tokenizer, SAMPLE)
    encoded = tokenizer.encode(SAMPLE, add_special_tokens=True)
    full = list(getattr(encoded, "ids", encoded))
    for start in range(len(full) - len(plain) + 1):
        if full[start : start + len(plain)] == plain:
            return tuple(full[:start]), tuple(full[start + len(plain) :])
    return (), ()


def _without(
    ids: Sequence[int], prefix: tuple[int, ...], suffix: tuple[int, ...]
) -> tuple[Tokens, bool]:
    """Take off special tokens that a text holds itself where its windows get them anyway."""
    found = np.asarray(ids, dtype=np.int64)
    starts = bool(prefix) and tuple(found[: len(prefix)]) == prefix
    found = found[len(prefix) :] if starts else found
    ends = bool(suffix) and tuple(found[-len(suffix) :]) == suffix
    return found[: -len(suffix)] if ends else found, starts or ends


def _once(marked: int, texts: int) -> str:
    """Say how many texts hold their special tokens themselves."""
    return f"; {marked} of {texts} texts hold them already, and they are kept once" * bool(marked)


def _described(
    tokenizer: Any, prefix: tuple[int, ...], suffix: tuple[int, ...], special_tokens: bool
) -> str:
    if not special_tokens:
        return "none; special tokens were switched off"
    if not prefix and not suffix:
        return "none; the tokenizer adds no special tokens"
    parts = []
    if prefix:
        parts.append(f"begins with {' '.join(token_texts(tokenizer, prefix))}")
    if suffix:
        parts.append(f"ends with {' '.join(token_texts(tokenizer, suffix))}")
    return f"each window {' and '.join(parts)}"


def _chat(tokenizer: Any) -> str:
    return "not applied" if getattr(tokenizer, "chat_template", None) else "none"
