"""What a study is: presets, seeds, one size, one recipe, and the texts to measure on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeVar, final

import numpy as np

from dva_lens.data.probe import PROBES as TEXTS
from dva_lens.models.presets import PRESETS, Size
from dva_lens.training.recipe import Recipe

HELD_OUT = "held-out"
PROBES = (HELD_OUT, *(name for name in TEXTS if name != "text"))

Value = TypeVar("Value")


@final
@dataclass(frozen=True)
class Study:
    """Models trained and measured alike: every preset with every seed.

    All runs share `size`, `recipe` and the text: the file or folder `text`, or the documentation
    of the running Python. Each is measured on `sequences` held-out sequences as long as the
    context, at about `measured_steps` log-spaced steps; the step before training is always one
    of them, so random initialisation is at hand as a control. Further `probes` are controls made
    from the same sequences and are measured at the last step.
    """

    name: str
    presets: tuple[str, ...]
    size: Size
    recipe: Recipe
    seeds: tuple[int, ...] = (0, 1)
    probes: tuple[str, ...] = (HELD_OUT, "shuffled")
    sequences: int = 16
    measured_steps: int = 6
    backend: str = "auto"
    text: str | None = None

    def __post_init__(self) -> None:
        for name in self.presets:
            _check_member("preset", name, PRESETS, "`dva-lens list presets` shows them")
        for name in self.probes:
            _check_member("probe", name, PROBES, f"probes are {', '.join(PROBES)}")
        _check_distinct("presets", self.presets)
        _check_distinct("seeds", self.seeds)
        if not self.probes or self.probes[0] != HELD_OUT:
            raise ValueError(f"probes must begin with {HELD_OUT!r}, got {list(self.probes)}.")
        for name in ("sequences", "measured_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Study":
        """Build a study from plain values; an unknown or missing key is refused by name."""
        values = dict(given)
        for name, kind in (("size", Size), ("recipe", Recipe)):
            if name in values:
                values[name] = _built(kind, values[name], name)
        for name in ("presets", "seeds", "probes"):
            if name in values:
                values[name] = _as_tuple(values[name], name)
        return _built(cls, values, "study")

    def to_dict(self) -> dict[str, Any]:
        """Return the study as plain values that `from_dict` takes back."""
        plain = asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in plain.items()
        }

    def steps(self) -> tuple[int, ...]:
        """Return the numbers of training steps after which the models are measured."""
        return log_spaced(self.recipe.steps, self.measured_steps)


def log_spaced(last: int, count: int) -> tuple[int, ...]:
    """Return 0, `last` and log-spaced steps between, about `count` in all, each once."""
    if count == 1 or last == 0:
        return (last,)
    spaced = np.geomspace(1, last, count - 1) if count > 2 else np.array([last])
    return (0, *(int(step) for step in np.unique(np.round(spaced))))


def _built(kind: type[Value], values: object, where: str) -> Value:
    if not isinstance(values, Mapping):
        raise TypeError(f"{where} must map keys to values, got {type(values).__name__}.")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        _check_member(f"key of {where}", str(name), known, f"the keys are {', '.join(known)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where} is not complete: {error}.") from error


def _as_tuple(value: object, name: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list, got {value!r}.")
    return tuple(value)


def _check_member(kind: str, name: str, known: Any, where: str) -> None:
    if name in known:
        return
    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f"close matches: {', '.join(close)}; " if close else ""
    raise ValueError(f"Unknown {kind} {name!r}: {hint}{where}.")


def _check_distinct(name: str, values: tuple[Any, ...]) -> None:
    if not values or len(set(values)) != len(values):
        raise ValueError(f"{name} must hold at least one entry and none twice, got {values}.")
