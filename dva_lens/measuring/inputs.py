"""What can be measured: texts, corpora, probes, token ids and images, turned into windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dva_lens.data.documents import Corpus
from dva_lens.data.evaluation import EvaluationText
from dva_lens.data.tokenizer import token_ids, token_texts
from dva_lens.measuring.sequences import Cut, Tokens, Windows
from dva_lens.results.schema import content_hash

SAMPLE = "a b"


def of_texts(
    texts: Sequence[tuple[str, str]], tokenizer: Any, cut: Cut, *, special_tokens: bool
) -> Windows:
    """Tokenise named texts and cut them; every window gets the tokenizer's special tokens."""
    prefix, suffix = special_around(tokenizer) if special_tokens else ((), ())
    extra = len(prefix) + len(suffix)
    pieces, documents, sources = [], [], []
    for name, text in texts:
        ids = np.asarray(token_ids(tokenizer, text), dtype=np.int64)
        if len(ids) + extra < 2 or not len(ids):
            raise ValueError(
                f"Text {name!r} has {len(ids)} tokens; measuring needs at least 2. Pass a longer "
                f"text."
            )
        cuts = cut.pieces(ids, extra)
        pieces += cuts
        documents += [name] * len(cuts)
        sources += [content_hash(text.encode())] * len(cuts)
    if not pieces:
        raise ValueError("There is no text to measure; pass at least one text of 2 tokens.")
    facts = {
        "bos": _described(tokenizer, prefix, suffix, special_tokens),
        "chat_template": _chat(tokenizer),
        "padding_side": "right",
        **cut.facts(extra),
    }
    return Windows(tuple(pieces), tuple(documents), prefix, suffix, facts, sources=tuple(sources))


def of_ids(ids: Any, cut: Cut, *, documents: Sequence[str] | None) -> Windows:
    """Take token ids as they are: one row per sequence, or one text that may need cutting."""
    rows = _rows(ids)
    if len(rows) == 1 and not _is_nested(ids):
        pieces = cut.pieces(rows[0], 0)
        name = documents[0] if documents else "tokens"
        names: tuple[str, ...] = (name,) * len(pieces)
    else:
        pieces, names = rows, tuple(documents or (f"sequence {i}" for i in range(len(rows))))
        longest, room = max(map(len, rows)), cut.length or cut.positions
        if room is not None and longest > room:
            raise ValueError(
                f"Sequences have up to {longest} tokens, but there is room for {room}; pass "
                f"each text as one row of ids of its own, and it is cut into windows."
            )
    if len(names) != len(pieces):
        raise ValueError(
            f"documents must name each of {len(pieces)} sequences, got {len(names)} names."
        )
    if min(map(len, pieces)) < 2:
        raise ValueError("Every sequence needs at least 2 tokens; one has fewer.")
    facts = {"bos": "token ids were taken as given", "padding_side": "right", **cut.facts(0)}
    return Windows(tuple(pieces), names, facts=facts)


def of_probe(probe: EvaluationText) -> Windows:
    """Take the sequences of a probe as they are."""
    pairs = zip(probe.tokens, probe.lengths, strict=True)
    pieces = tuple(row[: int(length)] for row, length in pairs)
    start = "each sequence begins with a start token" if probe.start else "none"
    facts: dict[str, str | int] = {"bos": start, "padding_side": "right", "probe": probe.name}
    return Windows(pieces, tuple(probe.documents), facts=facts)


def of_images(images: Any, documents: Sequence[str] | None) -> Windows:
    """Take images as (image, channel, row, column)."""
    pieces = tuple(np.asarray(images))
    names = tuple(documents or (f"image {index}" for index in range(len(pieces))))
    return Windows(pieces, names, facts={"bos": "images have none"}, images=True)


def texts_of(text: Any, documents: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return (name, text) pairs from a text, several texts, or a corpus."""
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


def _is_nested(ids: Any) -> bool:
    if hasattr(ids, "ndim"):
        return ids.ndim > 1
    return bool(len(ids)) and hasattr(ids[0], "__len__")


def _rows(ids: Any) -> list[Tokens]:
    if hasattr(ids, "detach"):
        ids = ids.detach().cpu().numpy()
    rows = list(ids) if _is_nested(ids) else [ids]
    found = [np.asarray(row) for row in rows]
    if not found or not all(len(row) for row in found):
        raise ValueError("There are no token ids to measure; every sequence needs at least 2.")
    for row in found:
        if row.ndim != 1 or row.dtype.kind not in "iu":
            raise ValueError(
                f"Token ids must be whole numbers in one row per sequence, got {row.dtype} of "
                f"shape {row.shape}."
            )
    return [row.astype(np.int64) for row in found]
