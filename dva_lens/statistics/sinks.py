"""What a sink is: the one definition, for whoever finds, draws or tells of one.

`DEFINITION` says it in words, with the numbers below in their places.

Source: the threshold of Gu et al. 2024 (arXiv 2410.10781) stands beside it as the sink rate; the
comparison with uniform attention and the untrained model is ours.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float, Shaped

from dva_lens import axes

TIMES_UNIFORM = 3.0
TIMES_UNTRAINED = 2.0
DRAINED = 0.5
"""A value whose size is surely below this share of the median is drained."""

DEFINITION = (
    f"A head has a sink at a key where the lower 95 % bound of the mean weight on that key, over "
    f"queries that see at least {axes.MANY_KEYS} keys, exceeds {TIMES_UNIFORM:g} times what "
    f"uniform attention gives it, and {TIMES_UNTRAINED:g} times what the untrained model of the "
    f"same seed gives it.",
    "The key must not be chosen by the numbers that it is judged by: on noise the largest of many "
    "keys is above the mean too. The first key is chosen beforehand. Any other key is chosen on "
    "one half of the documents, as the position, or the first occurrence of a token, that is most "
    "often on top, and judged on the other half, where a text with another key on top counts as "
    "zero. As weights are not negative, that is at most the mean weight on the chosen key, so the "
    "bound that is judged is a lower one still.",
)
"""What a sink is, one paragraph each."""
DRAIN_DEFINITION = (
    f"The value at a key is drained where the whole 95 % interval of its size, over the median "
    f"size of the values of its text, is below {DRAINED:g}."
)

Drain = Literal["drained", "not drained", "undecided"]
Kind = Literal["position", "token"]
Number = Float[np.ndarray, "*cell"]


def sink_bar(uniform: Number, untrained: Number) -> Number:
    """Return what a lower bound must exceed; an untrained model that is NaN asks for nothing."""
    return np.asarray(np.fmax(TIMES_UNIFORM * uniform, TIMES_UNTRAINED * untrained))


def has_sink(low: Number, uniform: Number, untrained: Number) -> Bool[np.ndarray, "*cell"]:
    """Say where a lower 95 % bound is that of a sink; without a bound there is none."""
    with np.errstate(invalid="ignore"):
        bar = np.where(np.isnan(uniform), np.nan, sink_bar(uniform, untrained))
        return np.asarray(low > bar)


def why_no_sink(mean: float, low: float, uniform: float, untrained: float) -> str:
    """Return in a few words why a key is no sink, nothing where it is one."""
    if not np.isfinite(mean):
        return "no query sees 16 keys"
    if not np.isfinite(low):
        return "too few texts for an interval"
    if bool(has_sink(np.array(low), np.array(uniform), np.array(untrained))):
        return ""
    if mean <= TIMES_UNIFORM * uniform:
        return "not 3 times what uniform attention gives it"
    if mean <= TIMES_UNTRAINED * untrained:
        return "not twice what the untrained model gives it"
    return "not surely above 3 times uniform attention and twice the untrained model"


def drain_word(low: float, high: float) -> Drain:
    """Say whether a value is drained: the interval of its size over the median is below a half."""
    if high < DRAINED:
        return "drained"
    return "not drained" if low >= DRAINED else "undecided"


@final
class ChosenKey(NamedTuple):
    """A key that was chosen on other texts: a position, or the first occurrence of a token."""

    kind: Kind
    value: int


@final
class TopKeys(NamedTuple):
    """The most attended key of one head in each text; NaN where a text has none."""

    position: Float[np.ndarray, "text"]
    token: Float[np.ndarray, "text"]
    earlier: Float[np.ndarray, "text"]
    mass: Float[np.ndarray, "text"]

    def of(self, texts: Bool[np.ndarray, "text"]) -> "TopKeys":
        """Return those of some texts."""
        return TopKeys(*(each[texts] for each in self))

    def on_top(self, key: ChosenKey) -> Bool[np.ndarray, "text"]:
        """Say in which texts a key is the most attended one."""
        if key.kind == "position":
            return self.position == key.value
        return (self.token == key.value) & (self.earlier == 0) & (self.position != 0)

    def at_least(self, key: ChosenKey) -> Float[np.ndarray, "text"]:
        """Return what a key receives at the least: its mass where it is on top, elsewhere zero."""
        known = np.where(self.on_top(key), self.mass, 0.0)
        return np.where(np.isfinite(self.mass), known, np.nan)


def choosing(documents: Sequence[str] | Shaped[np.ndarray, "text"]) -> Bool[np.ndarray, "text"]:
    """Say which texts choose keys; the others judge them, and no document is on both sides.

    Every second document chooses; of a single document, every second text does.
    """
    names, places = np.unique(np.asarray(documents).astype(str), return_inverse=True)
    order = places if len(names) > 1 else np.arange(len(places))
    return order % 2 == 0


def chosen_key(top: TopKeys) -> ChosenKey | None:
    """Return the key but the first that is most often on top in some texts, None if none is.

    A position and the first occurrence of a token are counted alike; a token goes before a
    position that is on top as often.
    """
    later = np.isfinite(top.position) & (top.position > 0)
    first = later & (top.earlier == 0)
    counts: dict[ChosenKey, int] = {}
    held_of: dict[Kind, np.ndarray] = {
        "token": top.token[first],
        "position": top.position[later],
    }
    for kind, held in held_of.items():
        found, often = np.unique(held, return_counts=True)
        if len(found):
            most = int(often.argmax())
            counts[ChosenKey(kind, int(found[most]))] = int(often[most])
    return max(counts, key=lambda key: counts[key], default=None)
