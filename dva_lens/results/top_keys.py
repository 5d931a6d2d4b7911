"""The most attended keys of texts, read so that a key is judged on others than chose it."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from dva_lens import axes
from dva_lens.results.measurement import Measurement
from dva_lens.results.moments import Moment
from dva_lens.results.shares import documents_of
from dva_lens.statistics.inference.estimate import profile
from dva_lens.statistics.sinks import ChosenKey, TopKeys, choosing, chosen_key

TOP = "top_key_"
TEXT = TOP + "text"


class _Interval(NamedTuple):
    mean: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class KeyElsewhere:
    """A key of one head that is not the first: what it receives at the least, where it was judged.

    `position` is -1 where it is the first occurrence of a token; `uniform` and `drain` are of the
    texts in which it is on top.
    """

    layer: int
    head: int
    position: int
    token: str
    mass: tuple[float, float, float]
    uniform: float
    drain: tuple[float, float, float]

    @property
    def words(self) -> str:
        """The key as a person reads it."""
        return "first occurrence of a token" if self.position < 0 else f"position {self.position}"


def keys_elsewhere(own: Measurement, moment: Moment) -> Iterator[KeyElsewhere]:
    """Yield for every head of one training the key that half of the texts have most often on top.

    Its mass is read on the other half of the documents, with its 95 % interval. Heads whose
    other half never has it on top are left out: it receives nothing that is known of.
    """
    names = ("position", "token", "earlier", "mass", "even", "drain")
    values = {name: _of_texts(own, moment, TOP + name) for name in names}
    documents = np.asarray(documents_of(own.data[TOP + "mass"])).reshape(-1)
    words = _words(own, moment)
    chooses = choosing(documents)
    for layer, head in np.ndindex(*values["mass"].shape[1:]):
        top = TopKeys(*(values[name][:, layer, head] for name in names[:4]))
        key = chosen_key(top.of(chooses))
        if key is None:
            continue
        there = top.on_top(key)
        judged = there & ~chooses
        if not judged.any():
            continue
        uniform = float(np.nanmean(values["even"][judged, layer, head]))
        drains = np.where(judged, values["drain"][:, layer, head], np.nan)
        yield KeyElsewhere(
            layer=layer,
            head=head,
            position=key.value if key.kind == "position" else -1,
            token=_most_common(words[there, layer, head]) if words is not None else _number(key),
            mass=_interval(top.at_least(key)[~chooses], documents[~chooses]),
            uniform=uniform,
            drain=_interval(drains[judged], documents[judged]),
        )


def token_at(own: Measurement, moment: Moment, position: int) -> np.ndarray:
    """Return the token that stands most often at a position where it is on top, by layer and head.

    Where no text of a head has it on top, that of the other heads; nothing where none has.
    """
    shape = tuple(own.data["first_key_mass"].sizes[dim] for dim in (axes.LAYER, axes.HEAD))
    words = _words(own, moment)
    if words is None:
        return np.full(shape, "", dtype=object)
    there = _of_texts(own, moment, TOP + "position") == position
    anywhere = _most_common(words[there])
    found = np.full(shape, anywhere, dtype=object)
    for layer, head in np.ndindex(*shape):
        held = words[there[:, layer, head], layer, head]
        if len(held):
            found[layer, head] = _most_common(held)
    return found


def _words(own: Measurement, moment: Moment) -> np.ndarray | None:
    return _of_texts(own, moment, TEXT) if TEXT in own.data else None


def _of_texts(own: Measurement, moment: Moment, name: str) -> np.ndarray:
    """Return a variable of a training over (sequence, layer, head) at a moment."""
    held = moment.select(own.data[name])
    if axes.STEP in held.dims:  # at equal loss keys are those of the last step
        held = held.isel({axes.STEP: -1})
    return held.transpose(axes.SEQUENCE, axes.LAYER, axes.HEAD).values


def _most_common(words: np.ndarray) -> str:
    counts = Counter(str(word) for word in words)
    return counts.most_common(1)[0][0] if counts else ""


def _number(key: ChosenKey) -> str:
    return str(key.value) if key.kind == "token" else ""


def _interval(numbers: np.ndarray, documents: np.ndarray) -> tuple[float, float, float]:
    if not np.isfinite(numbers).any():
        return _Interval(float("nan"), float("nan"), float("nan"))
    found = profile(numbers[:, None], documents)
    return _Interval(float(found.mean[0]), float(found.low[0]), float(found.high[0]))
