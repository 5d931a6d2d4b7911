"""The words that label every array: dimension names, and the spans that make rows comparable.

A *span* is a log-spaced bin of the number of keys a query can see. Two rows of attention can be
compared only when they choose among equally many keys, so row statistics are kept per span.
"""

STEP = "step"
LAYER = "layer"
HEAD = "head"
KV_HEAD = "kv_head"
SEQUENCE = "sequence"
SHOWN = "shown"
LISTED = "listed"
LISTED_QUERY = "listed_query"
LISTED_KEY = "listed_key"
KEPT_KEY = "kept_key"
VALUED_QUERY = "valued_query"
RANK = "rank"
SPAN = "span"
QUERY = "query"
KEY = "key"
THRESHOLD = "threshold"
SOURCE = "source"
RUN = "run"
MODEL = "model"
SEED = "seed"
TEXT = "text"
DOCUMENT = "document"
LENGTH = "length"

MANY_KEYS = 16
"""A query that sees fewer gives much to each, however it spreads: no sink rests on it."""


def span_of(visible: int) -> int:
    """Return the span of a query that sees `visible` keys: span s holds 2^s up to 2^(s+1) - 1.

    Raises
    ------
    ValueError
        `visible` is less than 1.
    """
    if visible < 1:
        raise ValueError(f"visible must be at least 1, got {visible}.")
    return visible.bit_length() - 1


def span_count(length: int) -> int:
    """Return how many spans the queries of a causal sequence of `length` tokens fall into."""
    return span_of(length) + 1


def span_label(span: int) -> str:
    """Return the numbers of visible keys that a span holds, as a person reads them."""
    first, last = 1 << span, (1 << (span + 1)) - 1
    return str(first) if first == last else f"{first}-{last}"
