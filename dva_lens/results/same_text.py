"""Whether models saw the same text: the one check before any of them are compared.

Texts are the same where the hashes of their tokens are. With other tokenizers the documents may
still be the same: then numbers per document are compared, and numbers that depend on how a text
is cut into tokens are refused by name.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.measurement import Measurement
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import (
    DOCUMENT_HASH,
    REFERENCE,
    TOKENS_HASH,
    NotComparableError,
)

PART = "part"
TOKEN_LEVEL = ("query", "key", "model")
NO_HASHES = (
    "The measurements hold no hashes of their texts (schema 1): texts were compared by the "
    "names of their documents and the lengths of their sequences."
)


@final
@dataclass(frozen=True)
class SameText:
    """How measurements may be paired: by sequence, or by document where tokenizers differ.

    `note` says what the check could not see.
    """

    by_document: bool = False
    note: str = ""

    def refusal(self, measurements: Measurements, name: str) -> str:
        """Return why a statistic may not be compared, nothing where it may."""
        if not self.by_document:
            return ""
        variable = measurements.variable(name)
        if variable.attrs.get("at") in TOKEN_LEVEL or _has_reference(measurements, name):
            return (
                f"{name} depends on how a text is cut into tokens, and the models have different "
                f"tokenizers"
            )
        return ""


def same_text(measurements: Measurements) -> SameText:
    """Check that all models were measured on the same text, and say how they may be paired.

    Raises
    ------
    NotComparableError
        If they were not, or were parts of models that differ: it names two trainings and what
        differs.
    """
    first, *others = measurements.parts
    found = [_pairing(first, other) for other in others]
    notes = dict.fromkeys(one.note for one in found if one.note)
    return SameText(any(one.by_document for one in found), " ".join(notes))


def _pairing(first: Measurement, other: Measurement) -> SameText:
    _refuse_other_parts(first, other)
    tokens = _both(first, other, TOKENS_HASH)
    documents = _both(first, other, DOCUMENT_HASH)
    names = _both(first, other, axes.DOCUMENT)
    lengths = _both(first, other, axes.LENGTH)
    note = NO_HASHES if tokens is None else ""
    alike = _equal(tokens) if tokens is not None else _equal(names) and _equal(lengths)
    if alike:
        return SameText(note=note)
    known = documents if documents is not None else names
    cut_otherwise = documents is not None or not _equal(lengths)
    if known is not None and cut_otherwise and set(known[0]) == set(known[1]):
        return SameText(by_document=True, note="" if documents is not None else NO_HASHES)
    raise NotComparableError(
        f"{other.label} was measured on other texts than {first.label} "
        f"({_difference(names, lengths)}); a comparison needs one text for all models."
    )


def _refuse_other_parts(first: Measurement, other: Measurement) -> None:
    ours, theirs = (each.data.attrs.get(PART) for each in (first, other))
    if ours != theirs and None not in (ours, theirs):
        raise NotComparableError(
            f"{other.label} is the part {theirs!r} of a model, and {first.label} the part "
            f"{ours!r}; only equal parts are compared."
        )


def _both(
    first: Measurement, other: Measurement, name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    ours, theirs = first.of_sequences(name), other.of_sequences(name)
    return None if ours is None or theirs is None else (ours, theirs)


def _equal(pair: tuple[np.ndarray, np.ndarray] | None) -> bool:
    return pair is None or np.array_equal(*pair)


def _difference(
    names: tuple[np.ndarray, np.ndarray] | None, lengths: tuple[np.ndarray, np.ndarray] | None
) -> str:
    if names is None:
        return "they do not name their documents"
    ours, theirs = names
    only = sorted({str(name) for name in ours} ^ {str(name) for name in theirs})
    if only:
        return f"{only[0]!r} is in one of them only"
    if len(ours) != len(theirs):
        return f"{len(theirs)} sequences, not {len(ours)}"
    same_order = _equal(names) and _equal(lengths)
    return "same names, other content" if same_order else "the sequences are in another order"


def _has_reference(measurements: Measurements, name: str) -> bool:
    held: list[xr.Dataset] = [part.data for part in measurements.parts]
    return any(f"{name}{REFERENCE}" in data for data in held)
