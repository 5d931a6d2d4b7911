"""All axes by name, and a variant of one of them from its name or its plain values."""

from collections.abc import Mapping
from typing import Any

from dva_lens.mechanisms.composition import COMPOSITIONS
from dva_lens.mechanisms.depth_average import DEPTH_AVERAGES
from dva_lens.mechanisms.feedforward import FEEDFORWARDS
from dva_lens.mechanisms.mixer import MIXERS
from dva_lens.mechanisms.norm import NORMS
from dva_lens.mechanisms.output import OUTPUTS
from dva_lens.mechanisms.positions import POSITIONS
from dva_lens.mechanisms.projections import PROJECTIONS
from dva_lens.mechanisms.rule import RULES
from dva_lens.mechanisms.scores import SCORES
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.mechanisms.value_source import VALUE_SOURCES
from dva_lens.mechanisms.variant import Variant
from dva_lens.mechanisms.visibility import VISIBILITIES
from dva_lens.validation import meant, shown

AXES: dict[str, VariantTable[Any]] = {
    "mixer": MIXERS,
    "scores": SCORES,
    "rule": RULES,
    "visibility": VISIBILITIES,
    "composition": COMPOSITIONS,
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


def variant(axis: str, given: object) -> Variant:
    """Return a variant from its name, from a mapping of its kind and its options, or as it is.

    The messages follow the name of the axis, which the configuration puts before them.

    Raises
    ------
    ValueError
        There is no such kind or option, the kind is missing, or an option is not what it must be.
    """
    table = AXES[axis]
    if isinstance(given, Variant) and isinstance(given, table.base):
        table.name_of(given)
        return given
    options = {KIND: given} if isinstance(given, str) else given
    if not isinstance(options, Mapping) or KIND not in options:
        raise ValueError(
            f"must be one of {', '.join(table)}, or a mapping of a {KIND!r} and its options, got "
            f"{shown(given)}."
        )
    kind = options[KIND]
    if not isinstance(kind, str) or kind not in table:
        raise ValueError(
            f"must be one of {', '.join(table)}, got {shown(kind)}{meant(kind, table)}."
        )
    return table[kind].from_dict({k: value for k, value in options.items() if k != KIND})


def plain(axis: str, chosen: Variant) -> dict[str, Any]:
    """Return a variant as plain values that `variant` takes back."""
    return {KIND: AXES[axis].name_of(chosen), **chosen.to_dict()}
