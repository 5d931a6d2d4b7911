"""A model and what it is to be run on, recognised and checked before anything runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Int

from dva_lens import axes
from dva_lens.data.tokenizer import token_texts
from dva_lens.kernels.guard import BUDGET, refuse_above
from dva_lens.measuring.inputs import InputOptions, Room, sequences_of
from dva_lens.measuring.pairs import pairs_of
from dva_lens.measuring.patches import PatchGrid
from dva_lens.measuring.sequences import Sequences, check_range
from dva_lens.recording.adapters import Adapter, adapter_of

LOGITS_BUDGET = 4 * BUDGET
LOGITS_AT_ONCE = BUDGET // 4


@final
@dataclass(frozen=True)
class Prepared:
    """A model with its adapter, its tokenizer, and the sequences to run it over."""

    adapter: Adapter
    tokenizer: Any
    sequences: Sequences

    @property
    def coordinates(self) -> Mapping[str, Any]:
        """Return the coordinates that name every sequence."""
        return {
            axes.SEQUENCE: np.arange(len(self.sequences)),
            axes.DOCUMENT: (axes.SEQUENCE, np.array(self.sequences.documents, dtype=object)),
            axes.LENGTH: (axes.SEQUENCE, self.sequences.lengths),
        }

    @property
    def grid(self) -> PatchGrid | None:
        """Return how patches lie in the images, where the model divides images into patches."""
        if not self.sequences.images:
            return None
        return PatchGrid.of(self.sequences.pieces[0].shape, self.adapter.patch_size)

    def words(self, sequence: int) -> list[str]:
        """Return the tokens of a sequence as texts, or as numbers without a tokenizer."""
        ids = self.sequences.tokens(sequence).tolist()
        if self.tokenizer is None:
            return [str(token) for token in ids]
        return token_texts(self.tokenizer, ids)

    def rows(self) -> Iterator[Int[np.ndarray, "1 position"]]:
        """Go through the sequences of tokens, one at a time and without padding."""
        for index in range(len(self.sequences)):
            yield self.sequences.tokens(index)[None]

    def sequences_per_pass(self, most: int) -> int:
        """Return how many sequences may run at once, up to a number, so that logits stay small.

        Raises
        ------
        MemoryError
            If the output for the longest sequence alone exceeds the budget.
        """
        if self.sequences.images:
            return most
        return max(1, min(most, LOGITS_AT_ONCE // self.check_output()))

    def check_output(self) -> int:
        """Return the bytes that the model puts out for the longest sequence.

        Raises
        ------
        MemoryError
            If they exceed the budget.
        """
        longest = int(self.sequences.lengths.max())
        output = longest * self.adapter.output_bytes
        refuse_above(
            output,
            f"What the model puts out for {longest} tokens",
            alternative="pass a shorter length, and the text is measured in windows",
            budget=LOGITS_BUDGET,
        )
        return output


def prepare(model: Any, text_or_tokens: Any, options: InputOptions) -> Prepared:
    """Turn what somebody passed into sequences that the model has room and embeddings for.

    Raises
    ------
    TypeError
        If the model cannot be recorded, or the input is neither text nor tokens nor images.
    ValueError
        If the input is empty, too short or too long, or holds tokens that the model has no
        embedding for; or if a text comes without a tokenizer.
    """
    adapter = adapter_of(model, options.part)
    adapter.check_input()
    tokenizer = adapter.tokenizer if options.tokenizer is None else options.tokenizer
    room = Room(adapter.positions, adapter.takes_images)
    if adapter.reads_source:
        sequences = pairs_of(text_or_tokens, tokenizer, options, adapter)
        check_range(sequences.read or sequences, adapter.source_vocabulary)
    elif options.target is not None:
        raise ValueError(
            f"{adapter.name} reads one text here; leave target out, or name the part of an "
            f"encoder-decoder that reads it with part='decoder' or part='cross'."
        )
    else:
        sequences = sequences_of(text_or_tokens, tokenizer, options, room)
    if not sequences.images:
        check_range(sequences, adapter.vocabulary)
    if sequences.beside:
        adapter = adapter.given(sequences.beside)
    return Prepared(adapter, tokenizer, sequences)


def prepare_tokens(model: Any, text_or_tokens: Any, options: InputOptions) -> Prepared:
    """Do the same for what needs tokens.

    What a model puts out may have to be tried on two tokens. That happens here, so that no
    reader that keeps something from layer to layer meets them.

    Raises
    ------
    TypeError
        If the input is images, besides what `prepare` raises.
    MemoryError
        If the output for the longest sequence exceeds the budget.
    """
    found = prepare(model, text_or_tokens, options)
    if found.sequences.images:
        raise TypeError("This needs a text or token ids, got images.")
    found.check_output()
    return found
