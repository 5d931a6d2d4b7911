"""A model and what it is to be run on, told apart and checked before anything runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Int

from dva_lens import axes
from dva_lens.data.evaluation import EvaluationText
from dva_lens.kernels.guard import BUDGET, refuse_above
from dva_lens.measuring.inputs import is_text, of_ids, of_images, of_probe, of_texts, texts_of
from dva_lens.measuring.sequences import Cut, Windows, check_range
from dva_lens.recording.adapters.adapter import Source
from dva_lens.recording.record import source_of

IMAGE_DIMENSIONS = 4
LOGITS_BUDGET = 4 * BUDGET
LOGITS_AT_ONCE = BUDGET // 4


@final
@dataclass(frozen=True)
class Treatment:
    """How a text becomes sequences: the choices of `dva_lens.measure` that bear the same names."""

    length: int | None = None
    stride: int | None = None
    documents: Sequence[str] | None = None
    tokenizer: Any = None
    special_tokens: bool = True


@final
@dataclass(frozen=True)
class Opened:
    """A model, how it is recorded, its tokenizer, and the sequences to run it over."""

    model: Any
    source: Source
    tokenizer: Any
    windows: Windows

    @property
    def coordinates(self) -> Mapping[str, Any]:
        """Return the coordinates that name every sequence."""
        return {
            axes.SEQUENCE: np.arange(len(self.windows)),
            axes.DOCUMENT: (axes.SEQUENCE, np.array(self.windows.documents, dtype=object)),
            axes.LENGTH: (axes.SEQUENCE, self.windows.lengths),
        }

    def rows(self) -> Iterator[Int[np.ndarray, "1 position"]]:
        """Go through the sequences of tokens, one at a time and without padding."""
        for index in range(len(self.windows)):
            yield self.windows.tokens(index)[None]


def opened(model: Any, text_or_tokens: Any, treated: Treatment) -> Opened:
    """Turn what somebody passed into sequences that the model has room and embeddings for."""
    source = source_of(model)
    tokenizer = source.tokenizer(model) if treated.tokenizer is None else treated.tokenizer
    cut = Cut(treated.length, treated.stride, source.positions(model))
    windows = _windows(
        text_or_tokens,
        tokenizer,
        cut,
        documents=treated.documents,
        special_tokens=treated.special_tokens,
    )
    if not windows.images:
        check_range(windows, source.vocabulary(model))
    return Opened(model, source, tokenizer, windows)


def opened_tokens(model: Any, text_or_tokens: Any, treated: Treatment) -> Opened:
    """Do the same for what needs tokens; refuse images, and texts with too large an output.

    What a model puts out may have to be tried on two tokens. That happens here, so that no
    reader that keeps something from layer to layer meets them.
    """
    found = opened(model, text_or_tokens, treated)
    if found.windows.images:
        raise TypeError("This needs a text or token ids, got images.")
    refuse_long_output(found.source, model, found.windows)
    return found


def refuse_long_output(source: Source, model: Any, windows: Windows) -> int:
    """Return the bytes that a model puts out for the longest sequence, if they fit the budget."""
    longest = int(windows.lengths.max())
    logits = longest * source.row_bytes(model)
    refuse_above(
        logits,
        f"What the model puts out for {longest} tokens",
        alternative="pass a shorter length, and the text is measured in windows",
        budget=LOGITS_BUDGET,
    )
    return logits


def sequences_together(source: Source, model: Any, windows: Windows, most: int) -> int:
    """Return how many sequences may run at once, up to a number, so that logits stay small."""
    return max(1, min(most, LOGITS_AT_ONCE // refuse_long_output(source, model, windows)))


def _windows(
    data: Any, tokenizer: Any, cut: Cut, *, documents: Sequence[str] | None, special_tokens: bool
) -> Windows:
    if isinstance(documents, str):
        documents = (documents,)
    if isinstance(data, EvaluationText):
        return of_probe(data)
    if is_text(data):
        if tokenizer is None:
            raise ValueError(
                "The model came without a tokenizer, so a text cannot be turned into tokens; "
                "pass tokenizer=..., or token ids instead of a text."
            )
        return of_texts(texts_of(data, documents), tokenizer, cut, special_tokens=special_tokens)
    if getattr(data, "ndim", 0) == IMAGE_DIMENSIONS:
        return of_images(data, documents)
    if not hasattr(data, "__len__"):
        raise TypeError(f"Pass a text or token ids to measure, got {type(data).__name__}.")
    return of_ids(data, cut, documents=documents)
