"""The table of statistics: every name, in the order in which menus and reports show them."""

from dva_lens.plugins import Registry
from dva_lens.statistics.extended.accounts import MASS_ACCOUNT, OUTPUT_ACCOUNT
from dva_lens.statistics.extended.aggregation import SURVIVING_SIZE
from dva_lens.statistics.extended.atlas import SINK_COUNT, STRONGEST_OTHER_SINK, VIRTUAL_MASS
from dva_lens.statistics.extended.bound import ENTROPY_FLOOR
from dva_lens.statistics.extended.concentration import GINI, HOYER, RENYI_ENTROPY, TOP_MASS
from dva_lens.statistics.extended.dynamic import VALUE_DECOMPOSITION
from dva_lens.statistics.extended.geometry import (
    EFFECTIVE_RANK,
    RANK_RESIDUAL,
    TOKEN_SIMILARITY,
)
from dva_lens.statistics.extended.heads import (
    DISTANCE,
    DUPLICATE_SCORE,
    INDUCTION_SCORE,
    PREVIOUS_SCORE,
    SINK_FREE_DISTANCE,
)
from dva_lens.statistics.extended.norms import (
    FIRST_NORM_SHARE,
    FIRST_NORM_SHARE_CENTRED,
    NORM_ENTROPY,
    NORM_ENTROPY_CENTRED,
)
from dva_lens.statistics.extended.signed import ABSOLUTE_MASS, SIGNED_MASS
from dva_lens.statistics.extended.similarity import UNIFORM_SIMILARITY
from dva_lens.statistics.extended.triad import TRIAD_AGREEMENT
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
from dva_lens.statistics.primary.top_key import TOP_KEY_MASS
from dva_lens.statistics.primary.values import DYNAMISM, SINK_OUTPUT_SHARE, VALUE_SOURCE_SHARE
from dva_lens.statistics.statistic import Statistic
from dva_lens.validation import meant

_STATISTICS: dict[str, Statistic] = {
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
    "top_key_mass": TOP_KEY_MASS,
    "renyi_entropy": RENYI_ENTROPY,
    "hoyer": HOYER,
    "gini": GINI,
    "top_mass": TOP_MASS,
    "entropy_floor": ENTROPY_FLOOR,
    "virtual_mass": VIRTUAL_MASS,
    "signed_mass": SIGNED_MASS,
    "absolute_mass": ABSOLUTE_MASS,
    "distance": DISTANCE,
    "sink_free_distance": SINK_FREE_DISTANCE,
    "previous_score": PREVIOUS_SCORE,
    "duplicate_score": DUPLICATE_SCORE,
    "induction_score": INDUCTION_SCORE,
    "sink_count": SINK_COUNT,
    "strongest_other_sink": STRONGEST_OTHER_SINK,
    "triad_agreement": TRIAD_AGREEMENT,
    "mass_account": MASS_ACCOUNT,
    "output_account": OUTPUT_ACCOUNT,
    "norm_entropy": NORM_ENTROPY,
    "norm_entropy_centred": NORM_ENTROPY_CENTRED,
    "first_norm_share": FIRST_NORM_SHARE,
    "first_norm_share_centred": FIRST_NORM_SHARE_CENTRED,
    "surviving_size": SURVIVING_SIZE,
    "uniform_similarity": UNIFORM_SIMILARITY,
    "value_decomposition": VALUE_DECOMPOSITION,
    "effective_rank": EFFECTIVE_RANK,
    "rank_residual": RANK_RESIDUAL,
    "token_similarity": TOKEN_SIMILARITY,
}
STATISTICS: Registry[Statistic] = Registry(_STATISTICS)

PRIMARY: tuple[str, ...] = (
    "entropy",
    "normalised_entropy",
    "effective_keys",
    "largest_weight",
    "first_key_mass",
    "sink_importance",
    "sink_rate",
    "sink_free_entropy",
    "importance_entropy",
    "head_importance_excess",
    "value_drain",
    "written_value_drain",
    "sink_output_share",
    "dynamism",
    "value_source_share",
    "massive_activation",
    "loss",
)
RECORDED: tuple[str, ...] = (*PRIMARY, "top_key_mass")
"""What every measurement takes: the primary set, and what findings need and no claim is about."""
EXTENDED: tuple[str, ...] = tuple(name for name in _STATISTICS if name not in RECORDED)


def statistic(name: str) -> Statistic:
    """Return the statistic of a name.

    Raises
    ------
    KeyError
        No statistic has this name; the message holds the closest match.
    """
    if name in STATISTICS:
        return STATISTICS[name]
    raise KeyError(
        f"Unknown statistic {name!r}{meant(name, STATISTICS)}; `dva-lens list statistics` shows "
        f"all {len(STATISTICS)} names."
    )
