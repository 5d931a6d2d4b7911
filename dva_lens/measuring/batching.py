"""Which sequences run together: as many as make one load of tokens, however long each is."""

from collections.abc import Sequence


def boundaries(lengths: Sequence[int], load: int) -> list[int]:
    """Return where batches begin and end, so that none has more positions than `load`.

    A batch is padded to its longest sequence, and padding counts. Sequences keep their order; one
    that is longer than the load runs alone.

    Raises
    ------
    ValueError
        The load is less than 1.

    Examples
    --------
    >>> boundaries([100, 100, 10, 10, 10, 100], load=200)
    [0, 2, 5, 6]
    """
    if load < 1:
        raise ValueError(f"load must be at least 1 position, got {load}.")
    found, start, longest = [0], 0, 0
    for index, length in enumerate(lengths):
        longest = max(longest, length)
        if index > start and longest * (index + 1 - start) > load:
            found.append(index)
            start, longest = index, length
    return [*found, len(lengths)] if len(lengths) else [0]
