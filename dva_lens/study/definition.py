"""What a study is: presets, seeds, one size, one recipe, and the texts to measure on."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, final

from pydantic import Field, model_validator

from dva_lens.data.evaluation import TEXTS as CUTS
from dva_lens.models.presets import named
from dva_lens.models.size import Size
from dva_lens.statistics.table import STATISTICS
from dva_lens.study.matching import Match, model_of
from dva_lens.training.recipe import Recipe
from dva_lens.validation import Count, Many, Value, one_of

HELD_OUT = "held-out"
TEXTS = (HELD_OUT, *(name for name in CUTS if name != "text"))

Backend = Literal["auto", "reference", "exact", "blocked", "fused"]
TextName = Annotated[str, one_of(lambda: TEXTS)]
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
    seeds: Many[int] = (0, 1)
    texts: Many[TextName] = (HELD_OUT, "shuffled")
    statistics: Many[StatisticName] = ()
    sequences: Annotated[int, Field(ge=1, le=100_000)] = 16
    backend: Backend = "auto"
    text: Annotated[str, Field(min_length=1)] | None = None
    save_every: Count | None = None
    match: Match | None = None

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
        object.__setattr__(self, "presets", named(self.presets, self.size))
        for name in self.presets:  # what is impossible is refused here, not after an hour
            model_of(name, self.size, self.match)
        return self


def _check_distinct(name: str, values: tuple[Any, ...], *, least: int) -> None:
    if len(values) < least or len(set(values)) != len(values):
        raise ValueError(
            f"{name} must hold at least one entry and none twice, got {list(values)}."
        )
