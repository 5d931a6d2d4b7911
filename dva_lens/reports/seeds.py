"""Numbers of trainings in words: their mean over seeds, with an interval where seeds allow one."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from dva_lens.statistics.inference.contrasts import seed_contrasts
from dva_lens.statistics.inference.estimate import FEWEST_SEEDS, Estimate, retrained
from dva_lens.statistics.inference.multiplicity import holm
from dva_lens.views.words import number, p_value, shown

HOW = (
    "Means over seeds with 95 % intervals for the architecture trained again (t); a single run or "
    "two have none, and where all trainings read the same it has no width."
)
"""What the numbers of a table are, for its caption."""


def over_seeds(values: Iterable[float]) -> Estimate:
    """Return the mean of the trainings that have a number, for the architecture trained again."""
    held = np.array(list(values), dtype=np.float64)
    return retrained(held[np.isfinite(held), None])


def seeds_in_words(
    values: Iterable[float],
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
    back: Callable[[float], float] = float,
) -> str:
    """Return the mean over seeds with its interval, or say how few trainings there are.

    `within` are the ends of what the number can be, such as 0 and 1 for a share; an interval ends
    there. `back` turns what was averaged into what is shown, such as logarithms into ratios.
    """
    found = over_seeds(values)
    if not found.units_count:
        return "–"
    ends = (float(found.low[0]), float(found.high[0]))
    mean, low, high = (float(back(part)) for part in (float(found.mean[0]), *ends))
    if found.supports_claims:
        return shown(mean, max(low, within[0]), min(high, within[1]))
    few = "single run" if found.units_count == 1 else number(found.units_count, "run")
    return f"{shown(mean)} ({few})"


def seeds_minus(
    models: Mapping[str, Iterable[float]], baseline: str, *, back: Callable[[float], float] = float
) -> dict[str, str]:
    """Return every model minus the baseline over seeds, with p adjusted over models (Holm).

    `back` turns differences into what is shown, such as those of logarithms into ratios. Models
    are left out where they or the baseline have fewer seeds than make a claim.
    """
    held = {name: np.array(list(each), dtype=np.float64)[:, None] for name, each in models.items()}
    held = {name: values[np.isfinite(values).all(-1)] for name, values in held.items()}
    enough = {name: values for name, values in held.items() if len(values) >= FEWEST_SEEDS}
    if baseline not in enough or len(enough) < 2:
        return {}
    found = seed_contrasts(enough, baseline)
    adjusted = holm(np.array([float(one.p[0]) for one in found.values()]))
    ends = {
        name: [float(back(float(part[0]))) for part in (one.mean, one.low, one.high)]
        for name, one in found.items()
    }
    return {
        name: f"{shown(*each)}, {_p(float(p))}"
        for (name, each), p in zip(ends.items(), adjusted, strict=True)
    }


def _p(p: float) -> str:
    said = p_value(p)
    return f"p {said}" if said.startswith("<") else f"p = {said}"
