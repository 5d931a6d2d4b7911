"""Which heads does a model need: how much does its loss grow when one is taken out?

One line per head, the most needed first: the growth of the next-token loss in nats over the
documents, its interval for new text, and its p value, adjusted for looking at every head
(Benjamini-Hochberg).

    python -m dva_lens.analyses.head_importance gpt2 --text book.txt --by mean
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from dva_lens.diagnostics.ablation import REPLACEMENTS, head_importance
from dva_lens.statistics.inference.estimate import profile
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg

from .asking import answered, parser_of

HEADS = ("layer", "head", "growth", "from", "to", "adjusted p")


def table(found: xr.Dataset) -> Iterator[tuple[str, ...]]:
    """Yield the heads, the most needed first."""
    yield HEADS
    values = found["head_importance"].transpose("sequence", "layer", "head")
    estimate = profile(values.values, found["document"].values)
    adjusted = benjamini_hochberg(estimate.p.ravel()).reshape(estimate.p.shape)
    order = np.argsort(-np.where(np.isnan(estimate.mean), -np.inf, estimate.mean), axis=None)
    for place in order:
        layer, head = np.unravel_index(place, estimate.mean.shape)
        numbers = (estimate.mean, estimate.low, estimate.high)
        if np.isfinite(estimate.mean[layer, head]):
            cells = tuple(f"{float(each[layer, head]):+.4f}" for each in numbers)
            yield (str(layer), str(head), *cells, f"{float(adjusted[layer, head]):.3g}")


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if the model or the text cannot be read."""
    parser = parser_of("dva_lens.analyses.head_importance", __doc__ or "")
    parser.add_argument("--by", choices=REPLACEMENTS, default="zero", help="what is put in place")
    given = parser.parse_args(arguments)

    def of(model: Any, text: Any) -> Iterator[tuple[str, ...]]:
        return table(head_importance(model, text, by=given.by, length=given.length))

    return answered(given, of)


if __name__ == "__main__":
    sys.exit(main())
