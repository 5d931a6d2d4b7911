"""Averaging queries that see about as many keys, and putting such averages together again.

Span s holds the queries that see 2^s up to 2^(s+1) - 1 keys (`axes.span_of`); everything here is
one product with a table of who belongs where.
"""

import numpy as np
from jaxtyping import Float, Int

from dva_lens.axes import span_count
from dva_lens.statistics.ratios import ratio


def spans_of(visible: Int[np.ndarray, "*batch query"]) -> Int[np.ndarray, "*batch query"]:
    """Return the span of each query, -1 for padding."""
    _, exponent = np.frexp(np.maximum(visible, 0).astype(np.float64))
    return np.where(visible > 0, exponent - 1, -1)


def rows_by_span(
    visible: Int[np.ndarray, "sequence query"], spans: int | None = None
) -> Int[np.ndarray, "sequence span"]:
    """Return how many queries of each sequence fall into each span.

    Raises
    ------
    ValueError
        A query sees more keys than `spans` spans hold.
    """
    return _membership(visible, spans).sum(1).astype(np.int64)


def span_means(
    values: Float[np.ndarray, "*lead sequence head query"],
    visible: Int[np.ndarray, "sequence query"],
    spans: int | None = None,
) -> Float[np.ndarray, "*lead sequence head span"]:
    """Return the mean over the queries of each span, NaN where no query has a value.

    Parameters
    ----------
    values : array
        One number per query; NaN where there is none.
    visible : array
        Keys that each query sees; padding is below one.
    spans : int, optional
        How many spans to return; default: as many as the largest number of visible keys needs.

    Raises
    ------
    ValueError
        A query sees more keys than `spans` spans hold.
    """
    member = _membership(visible, spans)
    held = np.isfinite(values)
    total = np.where(held, values, 0.0) @ member
    count = held.astype(np.float64) @ member
    return ratio(total, count)


def reference_by_span(
    reference: Float[np.ndarray, "sequence query"],
    visible: Int[np.ndarray, "sequence query"],
    spans: int | None = None,
) -> Float[np.ndarray, "sequence span"]:
    """Return the mean of a reference, given per query, over the queries of each span."""
    return span_means(reference[:, None], visible, spans)[:, 0]


def _membership(
    visible: Int[np.ndarray, "sequence query"], spans: int | None
) -> Float[np.ndarray, "sequence query span"]:
    most = int(visible.max(initial=1))
    count = span_count(max(most, 1)) if spans is None else spans
    if spans is not None and span_count(max(most, 1)) > spans:
        raise ValueError(
            f"spans must hold queries that see {most} keys, got spans={spans}; pass at least "
            f"{span_count(most)}."
        )
    return (spans_of(visible)[..., None] == np.arange(count)).astype(np.float64)
