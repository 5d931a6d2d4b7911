"""Evaluation texts: the sequences that models are measured on, and the controls made from them.

A control destroys what is claimed: shuffled tokens keep the words and lose their order, one
repeated token loses both. Random initialisation, the third control, is a model and not a text.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Int

from dva_lens.data.cache import TokenCache
from dva_lens.data.tokenizer import token_ids


@final
@dataclass(frozen=True)
class EvaluationText:
    """Token sequences, padded on the right with zeros, and the document each came from.

    `start` says that position 0 holds a special token that marks the start; controls keep it.
    """

    name: str
    tokens: Int[np.ndarray, "sequence position"]
    lengths: Int[np.ndarray, "sequence"]
    documents: tuple[str, ...]
    start: bool = False


def evaluation_text(
    cache: TokenCache,
    *,
    length: int,
    sequences: int,
    per_document: int = 2,
    start: int | None = None,
) -> EvaluationText:
    """Take sequences of one length from as many documents as there are, evenly spread.

    A sequence lies within a document and a document gives at most `per_document` of them, spread
    over it and not overlapping, the first at its beginning: intervals need many documents, not
    many sequences of one. `start` is a token to put first; without it sequences begin as the text
    does.

    Raises
    ------
    ValueError
        A size is not positive, or no document is as long as one sequence.
    """
    inner = length - (start is not None)
    if inner < 1 or sequences < 1 or per_document < 1:
        raise ValueError(
            f"length, sequences and per_document must be positive, got {length}, {sequences} and "
            f"{per_document}."
        )
    sizes = np.diff(cache.offsets) - 1
    fitting = np.minimum(sizes // inner, per_document)
    if not fitting.any():
        raise ValueError(
            f"No document holds a sequence of {inner} tokens: the longest of {len(sizes)} has "
            f"{sizes.max()}. Choose a shorter length, or give longer documents."
        )
    places = _places(fitting, sequences)
    taken = [
        cache.document(d)[s * (sizes[d] // fitting[d]) :][:inner].astype(np.int64)
        for d, s in places
    ]
    tokens = np.stack(taken)
    if start is not None:
        tokens = np.insert(tokens, 0, start, axis=1)
    return EvaluationText(
        "text",
        tokens,
        np.full(len(tokens), length),
        tuple(cache.names[d] for d, _ in places),
        start is not None,
    )


def encode(
    tokenizer: Any, text: str, *, length: int, stride: int | None = None, name: str = "text"
) -> EvaluationText:
    """Cut a text into windows of `length` tokens, one every `stride`; the last may be shorter.

    Without a stride windows do not overlap. Only the last window is padded.

    Raises
    ------
    ValueError
        `length` is less than 2, `stride` does not lie between 1 and `length`, or the text has
        fewer than 2 tokens.
    """
    ids = np.array(token_ids(tokenizer, text), dtype=np.int64)
    step = length if stride is None else stride
    if length < 2 or not 0 < step <= length:
        raise ValueError(
            f"length must be at least 2 and stride between 1 and length, got {length} and {step}."
        )
    if len(ids) < 2:
        raise ValueError(f"The text has {len(ids)} tokens; measuring needs at least 2.")
    starts = range(0, max(len(ids) - length, 0) + step, step)
    windows = [ids[start : start + length] for start in starts]
    windows = [window for window in windows if len(window) >= 2]
    tokens = np.zeros((len(windows), min(length, len(ids))), dtype=np.int64)
    for row, window in zip(tokens, windows, strict=True):
        row[: len(window)] = window
    lengths = np.array([len(window) for window in windows])
    return EvaluationText(name, tokens, lengths, (name,) * len(windows))


def shuffled(text: EvaluationText, seed: int) -> EvaluationText:
    """Put the tokens of each sequence in random order: same words, no order to rely on."""
    tokens = text.tokens.copy()
    for row, length, draw in _rows(text, tokens, seed):
        row[text.start : length] = draw.permutation(row[text.start : length])
    return replace(text, name="shuffled", tokens=tokens)


def repeated(text: EvaluationText, seed: int) -> EvaluationText:
    """Fill each sequence with one of its own tokens: every key is alike but for its position."""
    tokens = text.tokens.copy()
    for row, length, draw in _rows(text, tokens, seed):
        row[text.start : length] = draw.choice(row[text.start : length])
    return replace(text, name="repeated", tokens=tokens)


def unchanged(text: EvaluationText, seed: int) -> EvaluationText:
    """Return the text itself; the seed is there because the entries of the table are alike."""
    del seed
    return text


TEXTS: dict[str, Callable[[EvaluationText, int], EvaluationText]] = {
    "text": unchanged,
    "shuffled": shuffled,
    "repeated": repeated,
}


def _places(fitting: Int[np.ndarray, "document"], sequences: int) -> list[tuple[int, int]]:
    """Choose (document, sequence within it): first sequences before second ones, evenly spread."""
    chosen: list[tuple[int, int]] = []
    for turn in range(int(fitting.max())):
        able = np.flatnonzero(fitting > turn)
        room = min(sequences - len(chosen), len(able))
        chosen += [(int(d), turn) for d in able[np.arange(room) * len(able) // max(room, 1)]]
    return sorted(chosen)


def _rows(
    text: EvaluationText, tokens: np.ndarray, seed: int
) -> list[tuple[np.ndarray, int, Any]]:
    """Pair each row with its length and a generator of its own, so that rows do not depend."""
    return [
        (row, int(length), np.random.default_rng((seed, number)))
        for number, (row, length) in enumerate(zip(tokens, text.lengths, strict=True))
    ]
