"""The runs of a study: which model is trained with which seed, and the key of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from dva_lens.models.config import ModelConfig
from dva_lens.study.definition import Study
from dva_lens.study.keys import train_key
from dva_lens.study.matching import model_of
from dva_lens.training.recipe import Recipe


@final
@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: what is trained, under which name, and its key."""

    key: str
    preset: str
    seed: int
    order: int
    config: ModelConfig
    recipe: Recipe
    part: str = ""

    @property
    def label(self) -> str:
        """The name a person reads, and of the folder of the checkpoint."""
        return "-".join((*filter(None, [self.part]), self.preset, str(self.seed)))


def planned_runs(
    study: Study,
    *,
    vocabulary: int,
    data: str,
    tokenizer: str,
    part: str = "",
    before: Sequence[Study] = (),
) -> tuple[PlannedRun, ...]:
    """Return the runs of a study, seed by seed, so that a killed study has compared something.

    `vocabulary` is what the tokenizer came to, which a short text keeps below what was asked for;
    `data` and `tokenizer` are hashes of their contents, and labels begin with the name of a
    `part` that is not the first. Models of parts `before` it are shown first.
    """
    size = study.size.changed(vocabulary=vocabulary)
    first = sum(len(each.presets) for each in before)
    found = []
    for seed in study.seeds:
        for order, name in enumerate(study.presets, start=first):
            config, recipe = model_of(name, size, study.match), study.recipe_of(name)
            recipe = recipe.changed(seed=seed)
            key = train_key(
                config.to_dict(), recipe.to_dict(), data=data, tokenizer=tokenizer, seed=seed
            )
            found.append(PlannedRun(key, name, seed, order, config, recipe, part))
    return tuple(found)
