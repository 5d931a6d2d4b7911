"""All axes by name, and a variant of one of them from its name or its plain values."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

from dva_lens.mechanisms.depth_average import DEPTH_AVERAGES
from dva_lens.mechanisms.feedforward import FEEDFORWARDS
from dva_lens.mechanisms.norm import NORMS
from dva_lens.mechanisms.output import OUTPUTS
from dva_lens.mechanisms.positions import POSITIONS
from dva_lens.mechanisms.projections import PROJECTIONS
from dva_lens.mechanisms.rule import RULES
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.mechanisms.value_source import VALUE_SOURCES
from dva_lens.mechanisms.variant import Variant

AXES: dict[str, VariantTable[Any]] = {
    "rule": RULES,
    "projections": PROJECTIONS,
    "value_source": VALUE_SOURCES,
    "value_form": VALUE_FORMS,
    "output": OUTPUTS,
    "depth_average": DEPTH_AVERAGES,
    "feedforward": FEEDFORWARDS,
    "positions": POSITIONS,
    "norm": NORMS,
}
KIND = "kind"


def variant(axis: str, given: str | Mapping[str, Any]) -> Variant:
    """Return a variant from its name, or from a dict of its kind and its options.

    Raises
    ------
    ValueError
        There is no such axis, kind or option, or the kind is missing.
    """
    check_members("axis", [axis], AXES)
    options = {KIND: given} if isinstance(given, str) else dict(given)
    if KIND not in options:
        raise ValueError(f"{axis} needs a {KIND!r}, one of {', '.join(AXES[axis])}.")
    kind = options.pop(KIND)
    check_members(f"kind of {axis}", [kind], AXES[axis])
    chosen = AXES[axis][kind]
    check_members(f"option of {kind}", options, list(signature(chosen).parameters))
    return chosen(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def check_members(kind: str, names: Collection[str], known: Collection[str]) -> None:
    """Refuse a name that is not among those known.

    Raises
    ------
    ValueError
        A name is unknown; the close ones are told.
    """
    for name in names:
        if name not in known:
            close = get_close_matches(str(name), list(known), n=3, cutoff=0.5)
            hint = f"close matches: {', '.join(close)}; " if close else ""
            raise ValueError(
                f"Unknown {kind} {name!r}: {hint}there are: {', '.join(known) or 'none'}."
            )
