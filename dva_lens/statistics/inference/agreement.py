"""Definitions that compete for one name, and whether they rank the same things alike.

Papers measure "the same" in several ways. Each rivalry names the ways and where their numbers
are: a statistic, the entry of its further dimensions that is meant (dimensions without one are
averaged), and the sign that makes large mean the same for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.statistics.inference.distributions import rank_agreement

Entry = str | float


@final
@dataclass(frozen=True)
class Definition:
    """One way to measure something.

    `over` is a statistic whose value on uniform attention is added, for definitions that differ
    in whether it was taken off.
    """

    label: str
    statistic: str
    at: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    sign: int = 1
    over: str = ""


@final
@dataclass(frozen=True)
class Rivalry:
    """A question, and the definitions that answer it about each head, or about each layer."""

    question: str
    definitions: tuple[Definition, ...]
    cells: str = "head"


def _scores(name: str, words: str) -> Rivalry:
    kinds = {"corrected": "corrected: rows with a target", "transformer_lens": "TransformerLens"}
    return Rivalry(
        f"Which heads attend to {words}?",
        tuple(Definition(label, name, {"definition": kind}) for kind, label in kinds.items()),
    )


RIVALS: dict[str, Rivalry] = {
    "importance": Rivalry(
        "Which layers attend to few keys?",
        (
            Definition("ResFormer: heads averaged first", "importance_entropy", sign=-1),
            Definition(
                "per head, then averaged",
                "head_importance_excess",
                sign=-1,
                over="importance_entropy",
            ),
            Definition("per head, minus uniform", "head_importance_excess", sign=-1),
        ),
        cells="layer",
    ),
    "sink": Rivalry(
        "Which heads have a sink on the first key?",
        (
            Definition("sail-sg: rate at 0.3", "sink_rate", {"threshold": 0.3}),
            Definition("mean of the curve of rates", "sink_rate"),
            Definition("mean weight, first 64 queries", "sink_importance"),
            Definition("mean weight, all queries", "first_key_mass"),
            Definition("share of the output", "sink_output_share"),
            Definition("share of weighted norms", "first_norm_share"),
            Definition("share of centred norms", "first_norm_share_centred"),
        ),
    ),
    "spread": Rivalry(
        "Which heads spread their attention widely?",
        (
            Definition("normalised entropy", "normalised_entropy"),
            Definition("entropy without the first key", "sink_free_entropy"),
            Definition("effective keys", "effective_keys"),
            Definition("largest weight, reversed", "largest_weight", sign=-1),
            Definition("Renyi entropy", "renyi_entropy"),
            Definition("Gini, reversed", "gini", sign=-1),
            Definition("Hoyer, reversed", "hoyer", sign=-1),
            Definition("entropy of weighted norms", "norm_entropy"),
        ),
    ),
    "previous": _scores("previous_score", "the token before"),
    "duplicate": _scores("duplicate_score", "the same token before"),
    "induction": _scores("induction_score", "what followed the same token"),
}


def agreement(
    readings: Sequence[Float[np.ndarray, "*cells"]],
) -> Float[np.ndarray, "definition definition"]:
    """Return Kendall's tau-b between all definitions over the same cells, NaN left out."""
    count = len(readings)
    found = np.full((count, count), np.nan)
    for one in range(count):
        for other in range(one, count):
            found[one, other] = found[other, one] = rank_agreement(readings[one], readings[other])
    return found
