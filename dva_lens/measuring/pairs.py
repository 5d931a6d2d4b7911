"""Pairs of texts: what the encoder of a model reads, and what its decoder writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dva_lens.data.documents import Corpus
from dva_lens.data.tokenizer import token_ids
from dva_lens.measuring.inputs import InputOptions, Room, rows_of, sequences_of
from dva_lens.measuring.sequences import Sequences, Tokens
from dva_lens.measuring.texts import is_text, special_around
from dva_lens.recording.adapters import Adapter
from dva_lens.results.schema import content_hash

LABELS = "labels"
IGNORED = -100
"""What stands in labels where nothing is to be predicted; taken off as padding."""


def pairs_of(data: Any, tokenizer: Any, options: InputOptions, adapter: Adapter) -> Sequences:
    """Turn sources and their targets into the sequences that a decoder reads.

    A target is what the decoder should write: the labels of training. It reads them one place
    later, after its start token, as the model itself moves them. Neither side is cut into
    windows.

    Raises
    ------
    TypeError
        A side is neither text nor token ids.
    ValueError
        There are no targets, or not as many as sources; a side is empty or longer than the model
        has positions; or a text comes without a tokenizer.
    """
    target = options.target
    if isinstance(data, Mapping):
        target = data.get(LABELS) if target is None else target
        data = {name: each for name, each in data.items() if name != LABELS}
    if target is None:
        raise ValueError(
            f"The decoder of {adapter.name} reads a target beside the source; pass target= the "
            f"text or the labels that it should write, or part='encoder'."
        )
    if options.length is not None or options.stride is not None:
        raise ValueError("Pairs of texts are not cut into windows; leave length and stride out.")
    if options.chat:
        raise ValueError("Pairs of texts are put into no chat template; leave chat out.")
    read = sequences_of(data, tokenizer, options, Room(None))
    labels, texts = labels_of(target, tokenizer, special_tokens=options.special_tokens)
    if len(labels) != len(read):
        raise ValueError(
            f"Every source needs one target, got {len(read)} sources and {len(labels)} targets."
        )
    inputs = tuple(adapter.decoder_inputs(row) for row in labels)
    for name, rows, room in (
        ("Source", [read.tokens(index) for index in range(len(read))], adapter.source_positions),
        ("Target", inputs, adapter.positions),
    ):
        _check_room(name, rows, room)
    facts = {**read.facts, "target": "labels, read after the decoder's start token"}
    found = Sequences(inputs, read.documents, facts=facts, sources=_hashes(read, texts))
    return replace(found, read=read, last=tuple(int(row[-1]) for row in labels))


def labels_of(
    target: Any, tokenizer: Any, *, special_tokens: bool
) -> tuple[list[Tokens], list[str] | None]:
    """Return the labels of every target, and the texts that they were made of, if any.

    Raises
    ------
    ValueError
        A text comes without a tokenizer, or a target has fewer than 2 tokens.
    """
    texts = _texts(target)
    if texts is None:
        labels = [row[row != IGNORED] for row in rows_of(target)]
    elif tokenizer is None:
        raise ValueError(
            "The model came without a tokenizer, so a target cannot be turned into tokens; pass "
            "tokenizer=..., or labels as token ids."
        )
    else:
        labels = [_tokenised(tokenizer, text, special_tokens) for text in texts]
    for number, row in enumerate(labels):
        if len(row) < 2:
            raise ValueError(f"Target {number} has {len(row)} tokens; it needs at least 2.")
    return labels, texts


def _texts(target: Any) -> list[str] | None:
    if isinstance(target, Corpus):
        return [each.text for each in target.documents]
    if not is_text(target):
        return None
    return [target] if isinstance(target, str) else list(target)


def _tokenised(tokenizer: Any, text: str, special_tokens: bool) -> Tokens:
    """Tokenise a target; tokenizers of two languages have a mode of their own for it."""
    if callable(tokenizer):
        encoded: Any = tokenizer(text_target=text, add_special_tokens=special_tokens)
        found = encoded["input_ids"]
    else:
        around = special_around(tokenizer) if special_tokens else ((), ())
        found = [*around[0], *token_ids(tokenizer, text), *around[1]]
    return np.asarray(found, dtype=np.int64)


def _check_room(name: str, rows: Sequence[Tokens], room: int | None) -> None:
    for number, row in enumerate(rows):
        if room is not None and len(row) > room:
            raise ValueError(
                f"{name} {number} has {len(row)} tokens, but there is room for {room}; pairs of "
                f"texts are not cut, so pass shorter ones."
            )


def _hashes(read: Sequences, texts: list[str] | None) -> tuple[str, ...]:
    """Return hashes of the pairs where both sides were texts."""
    if texts is None or not read.sources:
        return ()
    pairs = zip(read.sources, texts, strict=True)
    return tuple(content_hash(source.encode() + text.encode()) for source, text in pairs)
