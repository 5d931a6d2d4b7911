"""Do the values of a model truly depend on the pair, and how many static heads do they stand for?

One line per layer and head. Operator rank: static values need at most 1; above it no single
static head gives these values. Non-affine share: what no affine map of the static value, one per
query, explains on keys held out. Interaction: the share of the values' variance that is neither
the key's nor the query's. Dynamism: the share of attended value power that moves with the query,
which a collapsing form has too.

    python -m dva_lens.analyses.dynamic_values runs/quick/checkpoints/dva-0
"""

import sys
from collections.abc import Iterator
from typing import Any

import xarray as xr

from dva_lens.diagnostics.pairing import dynamic_diagnostics
from dva_lens.measuring import measure
from dva_lens.results.collect import collect
from dva_lens.results.estimates import mean_of

from .asking import answered, parser_of

HEADS = ("layer", "head", "operator rank", "non-affine", "interaction", "dynamism")


def table(found: xr.Dataset, measured: xr.Dataset) -> Iterator[tuple[str, ...]]:
    """Yield one line per layer and head."""
    yield HEADS
    held, along = collect(measured), ("layer", "head")
    entry = {"weighting": "uniform", "part": "interaction"}
    interaction = mean_of(held.values("value_decomposition", entry=entry), along)
    dynamism = mean_of(held.values("dynamism"), along)
    for layer in found["layer"].values:
        for head in found["head"].values:
            at = {"layer": layer, "head": head}
            numbers = (found["operator_rank"], found["non_affine_share"], interaction, dynamism)
            yield (str(layer), str(head), *(f"{float(each.sel(at)):.4f}" for each in numbers))


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if the model or the text cannot be read, or the text is too short."""
    given = parser_of("dva_lens.analyses.dynamic_values", __doc__ or "").parse_args(arguments)

    def of(model: Any, text: Any) -> Iterator[tuple[str, ...]]:
        found = dynamic_diagnostics(model, text, seed=given.seed, length=given.length)
        names = ("value_decomposition", "dynamism")
        measured = measure(model, text, statistics=names, length=given.length)
        return table(found, measured)

    return answered(given, of)


if __name__ == "__main__":
    sys.exit(main())
