"""What can be measured: texts, corpora, token ids and images, turned into sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Int

from dva_lens.data.evaluation import EvaluationText
from dva_lens.measuring.chat import frame_for, refuse_tokens
from dva_lens.measuring.sequences import Sequences, Tokens, Windowing, measurable
from dva_lens.measuring.texts import is_text, of_texts, texts_of

IMAGE_DIMENSIONS = 4
SEGMENTS = "token_type_ids"
OF_TEXTS = ("input_ids", "attention_mask", SEGMENTS, "labels")


@final
@dataclass(frozen=True)
class Room:
    """What a model takes: images or tokens, and how many positions there are (None: no limit)."""

    positions: int | None
    images: bool = False


@final
@dataclass(frozen=True)
class InputOptions:
    """How an input becomes sequences: the choices of `measure` that bear the same names."""

    length: int | None = None
    stride: int | None = None
    documents: Sequence[str] | None = None
    tokenizer: Any = None
    special_tokens: bool = True
    target: Any = None
    part: str | None = None
    chat: bool = False
    system_prompt: str | None = None


def sequences_of(data: Any, tokenizer: Any, options: InputOptions, room: Room) -> Sequences:
    """Turn what somebody passed into sequences that a model has room for.

    Raises
    ------
    TypeError
        If it is not what the model takes: a text, token ids, or images.
    KeyError
        If a mapping, such as a tokenizer returns, holds no `input_ids`.
    ValueError
        If it is empty, too short or too long, or a text comes without a tokenizer.
    """
    windowing = Windowing(options.length, options.stride, room.positions)
    documents = options.documents
    if isinstance(documents, str):
        documents = (documents,)
    if room.images:
        return of_images(data, documents)
    if isinstance(data, EvaluationText):
        return of_evaluation_text(data)
    if is_text(data):
        if tokenizer is None:
            raise ValueError(
                "The model came without a tokenizer, so a text cannot be turned into tokens; "
                "pass tokenizer=..., or token ids instead of a text."
            )
        texts, special = texts_of(data, documents), options.special_tokens
        frame = frame_for(tokenizer, chat=options.chat, system_prompt=options.system_prompt)
        return of_texts(texts, tokenizer, windowing, special_tokens=special, frame=frame)
    refuse_tokens(chat=options.chat)
    if isinstance(data, Mapping):
        return of_encoding(data, windowing, documents=documents)
    if not hasattr(data, "__len__"):
        raise TypeError(f"Pass a text or token ids to measure, got {type(data).__name__}.")
    return of_ids(data, windowing, documents=documents)


def of_encoding(
    encoding: Mapping[str, Any], windowing: Windowing, *, documents: Sequence[str] | None
) -> Sequences:
    """Take what a tokenizer or a processor returns; padding on either side goes, as its mask says.

    Whatever is there beside tokens and their mask, such as images, goes to the model with them.

    Raises
    ------
    KeyError
        If there are no `input_ids`.
    ValueError
        If a mask does not fit, has gaps, or segments other than the first are marked.
    """
    if "input_ids" not in encoding:
        raise KeyError(f"A mapping must hold 'input_ids'; this one holds {sorted(encoding)}.")
    beside = {name: _array(each) for name, each in encoding.items() if name not in OF_TEXTS}
    segments = encoding.get(SEGMENTS)
    if beside and segments is not None:
        beside[SEGMENTS] = _array(segments)
    elif any(np.any(row) for row in _listed(() if segments is None else segments)):
        raise ValueError(
            "token_type_ids mark a second segment, and pairs of texts cannot be measured; pass "
            "one text per sequence."
        )
    ids, mask = encoding["input_ids"], encoding.get("attention_mask")
    if mask is None:
        return replace(of_ids(ids, windowing, documents=documents), beside=beside)
    pairs = zip(rows_of(ids), rows_of(mask), strict=True)
    rows = [_real(row, np.asarray(seen), number) for number, (row, seen) in enumerate(pairs)]
    found = of_ids(rows if _is_nested(ids) else rows[0], windowing, documents=documents)
    facts = {**found.facts, "padding": "taken off as attention_mask says"}
    return replace(found, facts=facts, beside=_without_padding(beside, _array(mask)))


def _without_padding(
    beside: Mapping[str, np.ndarray], mask: Int[np.ndarray, "*position"]
) -> dict[str, np.ndarray]:
    """Move what belongs to positions of texts along with them, to where their padding is right."""
    counts = mask.astype(bool).sum(axis=-1)
    found = dict(beside)
    for name, each in beside.items():
        if mask.ndim != 2 or each.shape[:2] != mask.shape:
            continue
        found[name] = np.zeros((len(mask), counts.max(), *each.shape[2:]), dtype=each.dtype)
        for row, count in enumerate(counts):
            found[name][row, :count] = each[row][mask[row].astype(bool)]
    return found


def _real(ids: Tokens, mask: Tokens, number: int) -> Tokens:
    """Return the tokens that a mask marks, which must be one unbroken run."""
    if ids.shape != mask.shape:
        raise ValueError(
            f"attention_mask of sequence {number} has {len(mask)} positions for {len(ids)} tokens."
        )
    real = np.flatnonzero(mask)
    if len(real) and real[-1] - real[0] + 1 != len(real):
        raise ValueError(
            f"attention_mask must mark one unbroken run of positions per sequence; that of "
            f"sequence {number} has a gap."
        )
    return ids[real]


def of_ids(ids: Any, windowing: Windowing, *, documents: Sequence[str] | None) -> Sequences:
    """Take token ids as they are: one row per sequence, or one text that may need cutting.

    Raises
    ------
    ValueError
        A sequence has fewer than 2 tokens or more than there is room for, or the names are not as
        many as the sequences.
    """
    rows, left_out = rows_of(ids), 0
    if len(rows) == 1 and not _is_nested(ids):
        pieces, left_out = measurable(windowing.pieces(rows[0], 0))
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
    if not pieces or min(map(len, pieces)) < 2:
        raise ValueError("Every sequence needs at least 2 tokens; one has fewer.")
    facts = {
        "bos": "token ids were taken as given",
        "padding_side": "right",
        **windowing.facts(0, left_out),
    }
    return Sequences(tuple(pieces), names, facts=facts)


def of_evaluation_text(text: EvaluationText) -> Sequences:
    """Take the sequences of an evaluation text as they are."""
    pairs = zip(text.tokens, text.lengths, strict=True)
    pieces = tuple(row[: int(length)] for row, length in pairs)
    start = "each sequence begins with a start token" if text.start else "none"
    facts: dict[str, str | int] = {"bos": start, "padding_side": "right", "text": text.name}
    return Sequences(pieces, tuple(text.documents), facts=facts)


def of_images(images: Any, documents: Sequence[str] | None) -> Sequences:
    """Take images as (image, channel, row, column), or one as (channel, row, column).

    Integers from 0 to 255 are divided by 255, and the facts say so.

    Raises
    ------
    TypeError
        If it is not an array of images.
    """
    if isinstance(images, Mapping):
        images = images.get("pixel_values")
    found = _array(images)
    if found.ndim == IMAGE_DIMENSIONS - 1:
        found = found[None]
    if found.ndim != IMAGE_DIMENSIONS or found.dtype.kind not in "fiu" or not len(found):
        raise TypeError(
            f"The model takes images, as numbers of shape (image, channel, row, column), got "
            f"{type(images).__name__} of shape {found.shape}."
        )
    facts: dict[str, str | int] = {"bos": "images have none"}
    if found.dtype.kind in "iu":
        found = found.astype(np.float32) / 255
        facts["pixels"] = "whole numbers divided by 255; no mean was taken off"
    names = tuple(documents or (f"image {index}" for index in range(len(found))))
    return Sequences(tuple(found), names, facts=facts, images=True)


def _is_nested(ids: Any) -> bool:
    if hasattr(ids, "ndim"):
        return ids.ndim > 1
    return bool(len(ids)) and hasattr(ids[0], "__len__")


def _array(data: Any) -> np.ndarray:
    return np.asarray(data.detach().cpu().numpy() if hasattr(data, "detach") else data)


def _listed(ids: Any) -> list[Any]:
    """Return the rows of nested ids, or the only one."""
    ids = _array(ids) if hasattr(ids, "detach") else ids
    return list(ids) if _is_nested(ids) else [ids]


def rows_of(ids: Any) -> list[Tokens]:
    """Return token ids as one array per sequence.

    Raises
    ------
    ValueError
        There are none, or they are not whole numbers.
    """
    found = [np.asarray(row) for row in _listed(ids)]
    if not found or not all(len(row) for row in found):
        raise ValueError("There are no token ids to measure; every sequence needs at least 2.")
    for row in found:
        if row.ndim != 1 or row.dtype.kind not in "iu":
            raise ValueError(
                f"Token ids must be whole numbers in one row per sequence, got {row.dtype} of "
                f"shape {row.shape}."
            )
    return [row.astype(np.int64) for row in found]
