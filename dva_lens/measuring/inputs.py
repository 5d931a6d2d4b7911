"""What can be measured: texts, corpora, token ids and images, turned into sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from dva_lens.data.evaluation import EvaluationText
from dva_lens.measuring.sequences import Sequences, Tokens, Windowing
from dva_lens.measuring.texts import is_text, of_texts, texts_of

IMAGE_DIMENSIONS = 4


@final
@dataclass(frozen=True)
class InputOptions:
    """How an input becomes sequences: the choices of `measure` that bear the same names."""

    length: int | None = None
    stride: int | None = None
    documents: Sequence[str] | None = None
    tokenizer: Any = None
    special_tokens: bool = True


def sequences_of(
    data: Any, tokenizer: Any, options: InputOptions, *, positions: int | None
) -> Sequences:
    """Turn what somebody passed into sequences that fit into so many positions.

    Raises
    ------
    TypeError
        If it is neither text nor token ids nor images.
    ValueError
        If it is empty, too short or too long, or a text comes without a tokenizer.
    """
    windowing = Windowing(options.length, options.stride, positions)
    documents = options.documents
    if isinstance(documents, str):
        documents = (documents,)
    if isinstance(data, EvaluationText):
        return of_evaluation_text(data)
    if is_text(data):
        if tokenizer is None:
            raise ValueError(
                "The model came without a tokenizer, so a text cannot be turned into tokens; "
                "pass tokenizer=..., or token ids instead of a text."
            )
        texts = texts_of(data, documents)
        return of_texts(texts, tokenizer, windowing, special_tokens=options.special_tokens)
    if getattr(data, "ndim", 0) == IMAGE_DIMENSIONS:
        return of_images(data, documents)
    if not hasattr(data, "__len__"):
        raise TypeError(f"Pass a text or token ids to measure, got {type(data).__name__}.")
    return of_ids(data, windowing, documents=documents)


def of_ids(ids: Any, windowing: Windowing, *, documents: Sequence[str] | None) -> Sequences:
    """Take token ids as they are: one row per sequence, or one text that may need cutting."""
    rows = _rows(ids)
    if len(rows) == 1 and not _is_nested(ids):
        pieces = windowing.pieces(rows[0], 0)
        name = documents[0] if documents else "tokens"
        names: tuple[str, ...] = (name,) * len(pieces)
    else:
        pieces, names = rows, tuple(documents or (f"sequence {i}" for i in range(len(rows))))
        longest, room = max(map(len, rows)), windowing.length or windowing.positions
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
    facts = {"bos": "token ids were taken as given", "padding_side": "right", **windowing.facts(0)}
    return Sequences(tuple(pieces), names, facts=facts)


def of_evaluation_text(text: EvaluationText) -> Sequences:
    """Take the sequences of an evaluation text as they are."""
    pairs = zip(text.tokens, text.lengths, strict=True)
    pieces = tuple(row[: int(length)] for row, length in pairs)
    start = "each sequence begins with a start token" if text.start else "none"
    facts: dict[str, str | int] = {"bos": start, "padding_side": "right", "text": text.name}
    return Sequences(pieces, tuple(text.documents), facts=facts)


def of_images(images: Any, documents: Sequence[str] | None) -> Sequences:
    """Take images as (image, channel, row, column)."""
    pieces = tuple(np.asarray(images))
    names = tuple(documents or (f"image {index}" for index in range(len(pieces))))
    return Sequences(pieces, names, facts={"bos": "images have none"}, images=True)


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
