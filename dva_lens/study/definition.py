"""What a study is: presets, seeds, one size, one recipe, and the texts to measure on."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, final

from dva_lens.data.evaluation import TEXTS
from dva_lens.models.config import ModelConfig
from dva_lens.models.presets import named
from dva_lens.models.size import Size
from dva_lens.study.keys import train_key
from dva_lens.study.matching import Match, model_of
from dva_lens.training.recipe import Recipe

HELD_OUT = "held-out"
NAMES = (HELD_OUT, *(name for name in TEXTS if name != "text"))


@final
@dataclass(frozen=True)
class Study:
    """Models trained and measured alike: every preset with every seed.

    `presets` may also hold models of the controlled grid, patterns such as `dva-*` and
    `?h-noff-*-own`, and the word `grid` for all of it. With `match` every model is brought to the
    cost of a baseline; otherwise each is as large as its mechanism makes it.

    All runs share `size`, `recipe` and the text: what `text` names, or the documentation of the
    running Python. Each is measured on `sequences` held-out sequences as long as the context, at
    the recipe's log-spaced steps; the state before training is one of them, so random
    initialisation is at hand as a control. Further `probes` are controls made from the same
    sequences. A training that was killed starts over, or continues from its state if that is
    saved every `save_every` steps.
    """

    name: str
    presets: tuple[str, ...]
    size: Size
    recipe: Recipe
    seeds: tuple[int, ...] = (0, 1)
    probes: tuple[str, ...] = (HELD_OUT, "shuffled")
    sequences: int = 16
    backend: str = "auto"
    text: str | None = None
    save_every: int | None = None
    match: Match | None = None

    def __post_init__(self) -> None:
        for name in self.probes:
            _check_member("probe", name, NAMES, f"probes are {', '.join(NAMES)}")
        for name in ("presets", "seeds", "probes"):
            _check_distinct(name, getattr(self, name))
        object.__setattr__(self, "presets", named(self.presets, self.size))
        for name in self.presets:  # what is impossible is refused here, not after an hour
            model_of(name, self.size, self.match)
        if self.probes[0] != HELD_OUT:
            raise ValueError(f"probes must begin with {HELD_OUT!r}, got {list(self.probes)}.")
        if self.sequences < 1:
            raise ValueError(f"sequences must be at least 1, got {self.sequences}.")
        if self.save_every is not None and self.save_every < 1:
            raise ValueError(f"save_every must be at least 1 or absent, got {self.save_every}.")
        if self.recipe.length > self.size.context:
            raise ValueError(
                f"recipe.length must not exceed size.context={self.size.context}, "
                f"got {self.recipe.length}."
            )

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Study":
        """Build a study from plain values; an unknown or missing key is refused by name.

        A recipe without a length takes the context of the size.
        """
        values = dict(_checked(cls, given, "study"))
        size = values["size"] = Size.from_dict(values["size"])
        recipe = {"length": size.context, **_mapping(values["recipe"], "recipe")}
        values["recipe"] = Recipe.from_dict(_checked(Recipe, recipe, "recipe"))
        if values.get("match") is not None:
            values["match"] = Match(**_checked(Match, values["match"], "match"))
        for name in ("presets", "seeds", "probes"):
            if name in values:
                values[name] = _as_tuple(values[name], name)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the study as plain values that `from_dict` takes back."""
        plain = {**asdict(self), "size": self.size.to_dict(), "recipe": self.recipe.to_dict()}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in plain.items()
        }


@final
@dataclass(frozen=True)
class Plan:
    """One run of a study: what is trained, under which name, and its key."""

    key: str
    preset: str
    seed: int
    order: int
    config: ModelConfig
    recipe: Recipe

    @property
    def label(self) -> str:
        """The name a person reads, and of the folder of the checkpoint."""
        return f"{self.preset}-{self.seed}"


def plans(study: Study, *, vocabulary: int, data: str, tokenizer: str) -> tuple[Plan, ...]:
    """Return the runs of a study, seed by seed, so that a killed study has compared something.

    `vocabulary` is what the tokenizer came to, which a short text keeps below what was asked for.
    """
    size = study.size.changed(vocabulary=vocabulary)
    found = []
    for seed in study.seeds:
        recipe = replace(study.recipe, seed=seed)
        for order, name in enumerate(study.presets):
            config = model_of(name, size, study.match)
            key = train_key(
                config.to_dict(), recipe.to_dict(), data=data, tokenizer=tokenizer, seed=seed
            )
            found.append(Plan(key, name, seed, order, config, recipe))
    return tuple(found)


def _checked(kind: type, values: object, where: str) -> Mapping[str, Any]:
    """Return the values that a dataclass is made of, if their names are right."""
    given = _mapping(values, where)
    known = [field.name for field in fields(kind)]
    for name in given:
        _check_member(f"key of {where}", str(name), known, f"the keys are {', '.join(known)}")
    needed = [name for name in known if not hasattr(kind, name)]
    missing = [name for name in needed if name not in given]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}; it needs {', '.join(needed)}.")
    return given


def _mapping(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise TypeError(f"{where} must map keys to values, got {values!r}.")
    return values


def _as_tuple(value: object, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list, got {value!r}.")
    return tuple(value)


def _check_member(kind: str, name: str, known: Collection[str], where: str) -> None:
    if name in known:
        return
    close = get_close_matches(str(name), list(known), n=3, cutoff=0.5)
    hint = f"close matches: {', '.join(close)}; " if close else ""
    raise ValueError(f"Unknown {kind} {name!r}: {hint}{where}.")


def _check_distinct(name: str, values: tuple[Any, ...]) -> None:
    if not values or len(set(values)) != len(values):
        raise ValueError(
            f"{name} must hold at least one entry and none twice, got {list(values)}."
        )
