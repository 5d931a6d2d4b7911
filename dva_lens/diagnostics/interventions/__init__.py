"""What happens to the loss if an attention is changed, beside a change of the same size."""

NAMES = ("remove-sink", "drop-head", "drop-layer", "freeze-values", "temperature")
"""The interventions there are, in the order of `values.INTERVENTIONS`, for whoever only lists."""
