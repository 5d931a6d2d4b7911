"""By how long paths does a model predict: what does each further module on the way add?

A path leads from a token to a prediction through attentions and feed-forward networks. One line
per number of modules that paths may pass: the next-token loss in nats, what the last one added
takes off it, with 95 % intervals over documents, and its signed share of the logits of the whole
model. Nothing passed is what follows from each token alone.

    python -m dva_lens.analyses.path_length runs/quick/checkpoints/dva-0 --text book.txt
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from dva_lens.diagnostics.path_length import ORDER, path_lengths
from dva_lens.statistics.inference.estimate import profile
from dva_lens.views.words import shown

from .asking import answered, parser_of

HEADS = ("modules passed", "loss", "taken off", "share of the logits")


def table(found: xr.Dataset) -> Iterator[tuple[str, ...]]:
    """Yield one line per number of modules that paths may pass."""
    yield HEADS
    loss = found["loss"].transpose("sequence", ORDER).values
    shares = found["logit_share"].transpose("sequence", ORDER).values
    gains = -np.diff(loss, axis=1, prepend=np.nan)
    columns = [_intervals(each, found["document"].values) for each in (loss, gains, shares)]
    for order, cells in enumerate(zip(*columns, strict=True)):
        yield (str(order), cells[0], cells[1] if order else "", cells[2])


def _intervals(values: np.ndarray, documents: np.ndarray) -> list[str]:
    found = profile(values, documents)
    ends = zip(found.mean, found.low, found.high, strict=True)
    return [shown(*map(float, each)) for each in ends]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if the model or the text cannot be read."""
    given = parser_of("dva_lens.analyses.path_length", __doc__ or "").parse_args(arguments)

    def of(model: Any, text: Any) -> Iterator[tuple[str, ...]]:
        return table(path_lengths(model, text, length=given.length))

    return answered(given, of)


if __name__ == "__main__":
    sys.exit(main())
