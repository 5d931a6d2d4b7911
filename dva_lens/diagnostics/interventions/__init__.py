"""What happens to a model if one of its attentions is changed, beside a change of equal size."""

NAMES = (
    "remove-sink",
    "drop-head",
    "drop-layer",
    "freeze-values",
    "swap-values",
    "drop-value-residual",
    "swap-first-values",
    "temperature",
)
"""The interventions there are, in the order of `values.INTERVENTIONS`, for whoever only lists."""
