"""What a study is: presets, seeds, one size, one recipe, and the texts to measure on."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, model_validator

from dva_lens.data.evaluation import TEXTS as CUTS
from dva_lens.data.tasks import TASKS
from dva_lens.models.presets import named
from dva_lens.models.size import Size
from dva_lens.results.schema import TRAINING, is_text_name
from dva_lens.statistics.table import STATISTICS
from dva_lens.study.matching import Match, model_of
from dva_lens.training.recipe import Recipe, Seed
from dva_lens.validation import Count, Many, Positive, Value, one_of

HELD_OUT = "held-out"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
TEXTS = (HELD_OUT, *(name for name in CUTS if name != "text"))

Backend = Literal["auto", "reference", "exact", "blocked", "fused"]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
TextName = Annotated[str, one_of(lambda: TEXTS)]
TaskName = Annotated[str, one_of(lambda: TASKS)]
StatisticName = Annotated[
    str, one_of(lambda: STATISTICS, "`dva-lens list statistics` shows what there is")
]


@final
class Study(Value, frozen=True):
    """Models trained and measured alike: every preset with every seed.

    `presets` may also hold models of the controlled grid, patterns such as `dva-*` and
    `?h-noff-*-own`, and the word `grid` for all of it. With `match` every model is brought to the
    cost of a baseline; otherwise each is as large as its mechanism makes it.

    All runs share `size`, `recipe` and the corpus: what `text` names, or the documentation of the
    running Python. A recipe without a length takes the context of the size. Each run is measured
    on `sequences` held-out sequences as long as the context, at the recipe's log-spaced steps; the
    state before training is one of them, so random initialisation is at hand as a control. Further
    evaluation `texts` are controls made from the same sequences. `statistics` are measured beside
    the primary ones. A training that was killed starts over, or continues from its state if that
    is saved every `save_every` steps.

    `learning_rates` gives presets rates of their own, to be chosen beforehand; they fall to the
    same share of where they began. With `start` a start token comes first, in training and in
    measuring. `text_sha256` is the hash that the text must have. `task` names a synthetic task
    that is trained on in place of a text. `plan_sha256` is the hash of a plan of claims written
    before the first training; a study file names the plan itself: `plan: plan.yaml`. Further
    `parts` are studies of their own in the same archive; their names tell their runs and texts
    apart.

    Raises
    ------
    ValueError
        A key is missing, unknown or of another type, a number is out of range, or a preset is
        impossible at this size; the message names the key.
    """

    called: ClassVar[str] = "study"
    former: ClassVar[Mapping[str, str]] = {"probes": "texts"}

    name: Annotated[str, Field(min_length=1)]
    presets: Many[str]
    size: Size
    recipe: Recipe
    seeds: Many[Seed] = (0, 1)
    texts: Many[TextName] = (HELD_OUT, "shuffled")
    statistics: Many[StatisticName] = ()
    sequences: Annotated[int, Field(ge=1, le=100_000)] = 16
    backend: Backend = "auto"
    text: Annotated[str, Field(min_length=1)] | None = None
    text_sha256: Hash | None = None
    start: bool = False
    task: TaskName | None = None
    learning_rates: Mapping[str, Positive] = {}
    save_every: Count | None = None
    match: Match | None = None
    parts: Many["Study"] = ()
    plan_sha256: Hash | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_the_context_as_length(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        size, recipe = (given.get(name) for name in ("size", "recipe"))
        size = dict(size) if isinstance(size, Mapping | Size) else {}
        if not isinstance(recipe, Mapping) or "length" in recipe or "context" not in size:
            return given
        return {**given, "recipe": {"length": size["context"], **recipe}}

    @model_validator(mode="after")
    def _check_together(self) -> "Study":
        for name in ("presets", "seeds", "texts"):
            _check_distinct(name, getattr(self, name), least=1)
        _check_distinct("statistics", self.statistics, least=0)
        if self.texts[0] != HELD_OUT:
            raise ValueError(f"texts must begin with {HELD_OUT!r}, got {list(self.texts)}.")
        if self.recipe.length > self.size.context:
            raise ValueError(
                f"recipe.length must not exceed size.context={self.size.context}, "
                f"got {self.recipe.length}."
            )
        if self.task is not None and (self.text is not None or self.start):
            raise ValueError(
                f"task {self.task!r} has its own sequences and start token; leave text and start "
                f"out, or the task."
            )
        self._check_parts()
        object.__setattr__(self, "presets", named(self.presets, self.size))
        if others := [name for name in self.learning_rates if name not in self.presets]:
            raise ValueError(
                f"learning_rates names {others[0]!r}, which is none of the presets "
                f"{', '.join(self.presets)}."
            )
        for name in self.presets:  # what is impossible is refused here, not after an hour
            model_of(name, self.size, self.match)
        return self

    def _check_parts(self) -> None:
        names = [part.name for part in self.parts]
        texts = [
            *self.texts,
            *(text for part in self.parts for text in part.texts_after(part.name)),
        ]
        if len({*names}) < len(names) or len({*texts}) < len(texts):
            raise ValueError(
                f"parts must have names of their own, and none of a text such as "
                f"{' or '.join(self.texts)}, got {names}."
            )
        if odd := [name for name in names if not (_PART.fullmatch(name) and is_text_name(name))]:
            raise ValueError(
                f"the name of a part begins runs and texts, so it holds letters, digits, single "
                f"dots and dashes and is not {TRAINING!r}, got {odd[0]!r}."
            )
        if nested := [part.name for part in self.parts if part.parts]:
            raise ValueError(f"parts hold no further parts, and {nested[0]} does.")

    def texts_after(self, part: str) -> tuple[str, ...]:
        """Return the names that an archive gives the texts of a part; of the first their own."""
        if not part:
            return self.texts
        return tuple(part if text == HELD_OUT else f"{part}-{text}" for text in self.texts)

    def each_part(self) -> dict[str, "Study"]:
        """Return the parts by name; the name of the first is empty."""
        first = self.changed(parts=()) if self.parts else self
        return {"": first, **{part.name: part for part in self.parts}}

    def recipe_of(self, preset: str) -> Recipe:
        """Return the recipe with the learning rate of a preset."""
        rate = self.learning_rates.get(preset)
        if rate is None:
            return self.recipe
        share = self.recipe.final_learning_rate / self.recipe.learning_rate
        return self.recipe.changed(learning_rate=rate, final_learning_rate=rate * share)

    def offset(self, seed: int) -> "Study":
        """Return the study with a number added to every seed, in all parts."""
        return self.changed(
            seeds=tuple(one + seed for one in self.seeds),
            parts=tuple(part.offset(seed) for part in self.parts),
        )

    def reading(self, text: str) -> "Study":
        """Return the study with another text, in all parts that are trained on a text."""
        parts = tuple(part.reading(text) for part in self.parts)
        return self.changed(parts=parts, **({} if self.task else {"text": text}))


def _check_distinct(name: str, values: tuple[Any, ...], *, least: int) -> None:
    if len(values) < least or len(set(values)) != len(values):
        raise ValueError(
            f"{name} must hold at least one entry and none twice, got {list(values)}."
        )
