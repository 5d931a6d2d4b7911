"""The models of a study made to cost alike: in parameters, or in operations per token."""

from functools import cache
from typing import Annotated, ClassVar, final

from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import COSTS, match
from dva_lens.models.grid import is_cell
from dva_lens.models.presets import preset
from dva_lens.models.size import Size
from dva_lens.validation import Value, one_of

NEAR = 0.05


@final
class Match(Value, frozen=True):
    """Which cost all models share, and the preset whose cost it is.

    `by` is parameters or flops. `vary` names what gives way, the feedforward or the width; absent,
    it is the hidden width of the feed-forward network where there is one, otherwise the width of
    the model.

    Raises
    ------
    ValueError
        A field is missing, unknown or of another type; the message names it.
    """

    called: ClassVar[str] = "match"

    by: Annotated[str, one_of(lambda: COSTS)]
    baseline: str
    vary: str | None = None

    @property
    def words(self) -> str:
        """The match in words, as reports give it."""
        return f"{self.by}, to within {NEAR:.0%} of {self.baseline}"


@cache
def model_of(name: str, size: Size, matched: Match | None = None) -> ModelConfig:
    """Return a preset at a size, brought to the cost of the baseline if models are matched.

    A preset that costs what the baseline costs stays as it is. Models of the grid keep the width
    of their queries and keys.

    Raises
    ------
    ValueError
        No size of the preset comes close enough to the cost of the baseline.
    """
    config = preset(name, size)
    if matched is None:
        return config
    cost = COSTS[matched.by]
    target = cost(preset(matched.baseline, size))
    if cost(config) == target:
        return config
    held = ("qk_dim",) if is_cell(name) else ()
    try:
        found = match(config, target, by=matched.by, vary=matched.vary, held=held)
    except ValueError as error:
        raise ValueError(f"{name} cannot be matched to {matched.baseline}. {error}") from error
    difference = cost(found) / target - 1
    if abs(difference) > NEAR:
        raise ValueError(
            f"{name} cannot be matched to {matched.baseline}: its {matched.by} come no closer "
            f"than {difference:+.1%} of {target:.4g}, and {NEAR:.0%} is allowed; choose another "
            f"size, or vary the width or the feedforward instead."
        )
    return found
