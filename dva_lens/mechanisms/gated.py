"""What a gated unit costs: two maps to a hidden width, one gating the other, and one back."""

from dva_lens.mechanisms.variant import LinearCost


def gated_parameters(width: int, inner: int, linear: LinearCost) -> int:
    """Return the parameters of the three maps."""
    return 2 * linear(width, inner) + linear(inner, width)


def gated_flops(width: int, inner: int) -> float:
    """Return the operations per token: three products, a nonlinearity and a gate."""
    return (6.0 * width + 2) * inner
