"""The budget of memory: a request that would exceed it is refused before anything is allocated."""

BUDGET = 1 << 30


def readable(amount: float | int) -> str:
    """Write a number of bytes as a person reads it."""
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:,.4g} GiB"


def refuse_above(bytes_needed: int, what: str, *, alternative: str, budget: int = BUDGET) -> None:
    """Raise a MemoryError where `what` would take more than the budget, naming an alternative.

    Raises
    ------
    MemoryError
        `bytes_needed` exceeds `budget`.
    """
    if bytes_needed > budget:
        raise MemoryError(
            f"{what} would take {readable(bytes_needed)}, more than the budget of "
            f"{readable(budget)}; {alternative}."
        )
