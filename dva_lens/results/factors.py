"""What sets two models of an archive apart, read from their configurations.

Widths and hidden sizes are no factor: they follow from the others, or from matching costs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast, final

from dva_lens.results.archive import Archive

HEADS, FEEDFORWARD, FORM, SOURCE = "heads", "feed-forward", "value form", "value source"
ATTENDED = "attended channels"
LADDER = ("static", "value-mlp", "separable", "pairwise")
"""Value forms from none that depends on the query to one that depends on the pair."""
_CHOICES = {
    "mixer": "mixer",
    "value_form": FORM,
    "value_source": SOURCE,
    "scores": "scores",
    "rule": "rule",
    "visibility": "visibility",
    "composition": "composition",
    "projections": "projections",
    "output": "output",
    "depth_average": "depth average",
    "positions": "positions",
    "norm": "norm",
}
_ADDED_SINCE: dict[str, Any] = {
    "mixer": "attention",
    "scores": "dot-product",
    "visibility": "all",
    "composition": "none",
    "share_pattern_every": 1,
    "standard_layers": [],
    "attended_width": 0,
}
"""What a configuration means that was written before it could choose."""
_COUNTS = ("layers", "share_kv_every", "share_pattern_every", "standard_layers")


class FactorChange(NamedTuple):
    """A factor, and what it is before and after."""

    factor: str
    before: str
    after: str


@final
@dataclass(frozen=True)
class FactorStep:
    """One model beside another that differs from it in one factor alone, or in a few at once."""

    model: str
    baseline: str
    changes: tuple[FactorChange, ...]

    @property
    def words(self) -> str:
        """What changes, in words."""
        return ", ".join(f"{each.factor} {each.before} → {each.after}" for each in self.changes)


def factors_of(archive: Archive) -> dict[str, dict[str, str]]:
    """Return the factors of every model whose configuration is known, by model."""
    found: dict[str, dict[str, str]] = {}
    for run in archive.runs:
        held = _factors(run.attrs.get("config"))
        if held and run.model not in found:
            found[run.model] = held
    return found


def steps(
    models: Mapping[str, Mapping[str, str]], factor: str, order: Sequence[str]
) -> tuple[FactorStep, ...]:
    """Return each model beside the nearest that comes before it in one factor and is else alike.

    `order` holds the kinds of the factor, from first to last; models of any other kind stand
    beside the first.
    """
    found: list[FactorStep] = []
    for model, held in models.items():
        alike = {
            kind_of(models[name][factor]): name
            for name in reversed(list(models))
            if _without(models[name], factor) == _without(held, factor)
        }
        before = _before(kind_of(held[factor]), order)
        level = next((kind for kind in before if kind in alike), None)
        if level is not None:
            found.append(
                FactorStep(model, alike[level], (FactorChange(factor, level, held[factor]),))
            )
    return tuple(found)


def leap(
    models: Mapping[str, Mapping[str, str]], changed: Mapping[str, tuple[str, str]]
) -> tuple[FactorStep, ...]:
    """Return each model beside one that differs in several factors at once and is else alike.

    `changed` maps each of these factors to what it is before and after.
    """
    found: list[FactorStep] = []
    for model, held in models.items():
        if any(kind_of(held[name]) != after for name, (_, after) in changed.items()):
            continue
        due = {**held, **{name: before for name, (before, _) in changed.items()}}
        baseline = next((name for name, other in models.items() if other == due), None)
        if baseline is not None:
            found.append(
                FactorStep(
                    model,
                    baseline,
                    tuple(FactorChange(name, *ends) for name, ends in changed.items()),
                )
            )
    return tuple(found)


def kind_of(choice: str) -> str:
    """Return the kind of a choice without its options."""
    return choice.split(" (", 1)[0]


def _before(kind: str, order: Sequence[str]) -> tuple[str, ...]:
    """Return what comes before a kind, the nearest first."""
    if kind not in order:
        return tuple(order[:1])
    return tuple(reversed(order[: list(order).index(kind)]))


def _without(held: Mapping[str, str], factor: str) -> dict[str, str]:
    return {name: value for name, value in held.items() if name != factor}


def _factors(config: object) -> dict[str, str]:
    """Return the factors of one configuration, none if it is not known."""
    try:
        said = _choice(json.loads(config)) if isinstance(config, str) else {}
    except json.JSONDecodeError:
        return {}
    if not {"value_form", "value_source", "heads"} <= set(said):
        return {}
    said = _ADDED_SINCE | said
    found = {name: str(said.get(name)) for name in _COUNTS}
    found[HEADS] = "one" if said["heads"] == 1 else "several"
    found[ATTENDED] = "a part" if said["attended_width"] else "all"
    found[FEEDFORWARD] = "none" if kind_of(_words(said.get("feedforward"))) == "none" else "with"
    return found | {name: _words(said.get(key)) for key, name in _CHOICES.items()}


def _choice(found: object) -> dict[str, Any]:
    """Return a mapping of JSON, a plain word as the kind that it names."""
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"kind": found}


def _words(found: object) -> str:
    """Return a choice in words: its kind, and its options that are set."""
    choice = _choice(found)
    set_ones = {key: value for key, value in choice.items() if key != "kind" and value}
    options = ", ".join(f"{key} {value}" for key, value in set_ones.items())
    return f"{choice.get('kind')} ({options})" if options else str(choice.get("kind"))
