"""The table of statistics: every name, in the order in which menus and reports show them."""

from difflib import get_close_matches

from dva_lens.statistics.primary.drains import VALUE_DRAIN, WRITTEN_VALUE_DRAIN
from dva_lens.statistics.primary.entropy import (
    EFFECTIVE_KEYS,
    ENTROPY,
    LARGEST_WEIGHT,
    NORMALISED_ENTROPY,
    SINK_FREE_ENTROPY,
)
from dva_lens.statistics.primary.importance import HEAD_IMPORTANCE_EXCESS, IMPORTANCE_ENTROPY
from dva_lens.statistics.primary.loss import MEAN_LOSS
from dva_lens.statistics.primary.sinks import FIRST_KEY_MASS, SINK_IMPORTANCE, SINK_RATE
from dva_lens.statistics.primary.stream import MASSIVE_ACTIVATION
from dva_lens.statistics.primary.values import DYNAMISM, SINK_OUTPUT_SHARE, VALUE_SOURCE_SHARE
from dva_lens.statistics.statistic import Statistic

STATISTICS: dict[str, Statistic] = {
    "entropy": ENTROPY,
    "normalised_entropy": NORMALISED_ENTROPY,
    "effective_keys": EFFECTIVE_KEYS,
    "largest_weight": LARGEST_WEIGHT,
    "first_key_mass": FIRST_KEY_MASS,
    "sink_importance": SINK_IMPORTANCE,
    "sink_rate": SINK_RATE,
    "sink_free_entropy": SINK_FREE_ENTROPY,
    "importance_entropy": IMPORTANCE_ENTROPY,
    "head_importance_excess": HEAD_IMPORTANCE_EXCESS,
    "value_drain": VALUE_DRAIN,
    "written_value_drain": WRITTEN_VALUE_DRAIN,
    "sink_output_share": SINK_OUTPUT_SHARE,
    "dynamism": DYNAMISM,
    "value_source_share": VALUE_SOURCE_SHARE,
    "massive_activation": MASSIVE_ACTIVATION,
    "loss": MEAN_LOSS,
}

PRIMARY: tuple[str, ...] = tuple(STATISTICS)
EXTENDED: tuple[str, ...] = ()


def statistic(name: str) -> Statistic:
    """Return the statistic of a name, or say which names are close."""
    if name in STATISTICS:
        return STATISTICS[name]
    close = get_close_matches(name, STATISTICS, n=3, cutoff=0.5)
    hint = f"close matches: {', '.join(close)}; " if close else ""
    raise KeyError(
        f"Unknown statistic {name!r}: {hint}`dva-lens list statistics` shows all "
        f"{len(STATISTICS)} names."
    )
