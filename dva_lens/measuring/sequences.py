"""The sequences of a measurement, as views into longer texts that are cut into windows."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float, Int

from dva_lens.measuring.batching import boundaries
from dva_lens.recording.adapters import SourceBatch
from dva_lens.results.schema import DOCUMENT_HASH, TOKENS_HASH, content_hash

Tokens = Int[np.ndarray, "_"]


@final
@dataclass(frozen=True)
class PaddedBatch:
    """Some sequences, padded on the right with token 0; `first` says that the first is there."""

    tokens: Int[np.ndarray, "sequence position"] | Float[np.ndarray, "image channel row column"]
    lengths: Int[np.ndarray, "sequence"] | None
    first: bool
    source: SourceBatch | None = None


@final
@dataclass(frozen=True)
class Sequences:
    """The sequences of a measurement: views into token ids, so that long texts cost little.

    `facts` says how special tokens, padding and windows were treated; `sources` are hashes of
    the texts that the sequences were cut from, where there was a text. `beside` is what the model
    takes beside tokens, by name, such as images: then all sequences run together.

    What a decoder reads comes with `read`, the texts that its encoder reads, and with `last`, the
    token that should follow each sequence.
    """

    pieces: tuple[np.ndarray, ...]
    documents: tuple[str, ...]
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    facts: dict[str, str | int] = field(default_factory=dict)
    images: bool = False
    sources: tuple[str, ...] = ()
    beside: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    read: "Sequences | None" = None
    last: tuple[int, ...] = ()

    @property
    def hashes(self) -> dict[str, tuple[str, ...]]:
        """Return hashes that tell whether two measurements were of one text and one tokenizer."""
        each = self.pieces if self.images else map(self.tokens, range(len(self)))
        content = [np.asarray(one).tobytes() for one in each]
        if self.read is not None:
            behind = map(self.read.tokens, range(len(self)))
            content = [
                one + b"|" + other.tobytes() for one, other in zip(content, behind, strict=True)
            ]
        found = {TOKENS_HASH: tuple(content_hash(one) for one in content)}
        return found | ({DOCUMENT_HASH: self.sources} if self.sources else {})

    @property
    def lengths(self) -> Int[np.ndarray, "sequence"]:
        """Return how many tokens each sequence has, special tokens included."""
        extra = len(self.prefix) + len(self.suffix)
        return np.array([len(piece) + extra for piece in self.pieces], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.pieces)

    def tokens(self, index: int) -> Tokens:
        """Return the tokens of one sequence."""
        return np.concatenate([self.prefix, self.pieces[index], self.suffix]).astype(np.int64)

    def batches(self, size: int) -> Iterator[PaddedBatch]:
        """Go through the sequences, as many at a time as `size` of the longest have positions.

        Images run `size` at a time; with inputs beside tokens, all sequences run together.
        """
        step = max(1, len(self)) if self.beside else size
        bounds, every = [*range(0, len(self), step), len(self)], self.lengths
        if not (self.images or self.beside):
            both = every if self.read is None else np.maximum(every, self.read.lengths)
            bounds = boundaries(both.tolist(), size * int(both.max()))
        for start, stop in itertools.pairwise(bounds):
            if self.images:
                yield PaddedBatch(np.stack(self.pieces[start:stop]), None, start == 0)
                continue
            tokens = self._padded(start, stop)
            source = self._source(start, stop)
            yield PaddedBatch(tokens, every[start:stop], start == 0, source)

    def _padded(self, start: int, stop: int) -> Int[np.ndarray, "sequence position"]:
        lengths = self.lengths[start:stop]
        tokens = np.zeros((stop - start, int(lengths.max())), dtype=np.int64)
        for row, index in enumerate(range(start, stop)):
            tokens[row, : lengths[row]] = self.tokens(index)
        return tokens

    def _source(self, start: int, stop: int) -> SourceBatch | None:
        if self.read is None:
            return None
        last = np.array(self.last[start:stop], dtype=np.int64) if self.last else None
        tokens = self.read._padded(start, stop)
        return SourceBatch(tokens, self.read.lengths[start:stop], last)


@final
@dataclass(frozen=True)
class Windowing:
    """How long windows are, how far apart they start, and how many positions there are.

    Raises
    ------
    ValueError
        `length` is less than 2 or more than the model has positions, or `stride` is less than 1.
    """

    length: int | None
    stride: int | None
    positions: int | None

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 2:
            raise ValueError(f"length must be at least 2 tokens, got {self.length}.")
        if self.stride is not None and self.stride < 1:
            raise ValueError(f"stride must be at least 1 token, got {self.stride}.")
        if self.length is None or self.positions is None:
            return
        if self.length > self.positions:
            raise ValueError(
                f"length is {self.length} tokens, but the model has {self.positions} positions; "
                f"pass length={self.positions} or less, and longer texts are cut into windows."
            )

    def window(self, special: int) -> int | None:
        """Return how many tokens of text fit into a window, or None where all do.

        Raises
        ------
        ValueError
            The special tokens leave room for fewer than 2 tokens of text.
        """
        whole = self.length or self.positions
        if whole is None:
            return None
        if whole - special < 2:
            raise ValueError(
                f"A window of {whole} tokens leaves no room beside {special} special tokens; "
                f"choose a longer length."
            )
        return whole - special

    def pieces(self, ids: Tokens, special: int) -> list[Tokens]:
        """Cut ids into windows, one every `stride`; what is left over is a shorter window.

        That window may hold a single token, which `measurable` leaves out.

        Raises
        ------
        ValueError
            The stride is longer than a window, so tokens would be left out.
        """
        window = self.window(special)
        if window is None or len(ids) <= window:
            return [ids]
        step = window if self.stride is None else self.stride
        if step > window:
            raise ValueError(
                f"stride must be at most the {window} tokens of text in a window, or tokens are "
                f"left out, got {step}."
            )
        last = len(ids) - window
        starts = range(0, last + step, step)
        return [ids[start : start + window] for start in starts]

    def facts(self, special: int, left_out: int) -> dict[str, str | int]:
        """Return what to store about windows; 0 stands for no limit.

        `left_out` is how many windows `measurable` left out.
        """
        window = self.window(special) or 0
        return {
            "window": window + special if window else 0,
            "stride": self.stride or window,
            **({"left_out": f"{left_out} windows of one token"} if left_out else {}),
        }


def measurable(pieces: Sequence[Tokens]) -> tuple[list[Tokens], int]:
    """Return the windows of two tokens or more, and how many of a single token are left out."""
    found = [piece for piece in pieces if len(piece) >= 2]
    return found, len(pieces) - len(found)


def check_range(sequences: Sequences, vocabulary: int) -> None:
    """Refuse token ids that the model has no embedding for.

    Raises
    ------
    ValueError
        If there is one; the message names the first.
    """
    special = np.array([*sequences.prefix, *sequences.suffix, *sequences.last], dtype=np.int64)
    for piece in (*sequences.pieces, special):
        outside = piece[(piece < 0) | (piece >= vocabulary)]
        if len(outside):
            raise ValueError(
                f"Token id {int(outside[0])} is out of range: the model's vocabulary has "
                f"{vocabulary} tokens, 0 to {vocabulary - 1}. Was another tokenizer used?"
            )
