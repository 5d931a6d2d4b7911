"""Where are the sinks of a text, and are they drained and peaked too?

One line per sink, the strongest of each text first: where it stands, what stands there, its
largest mean weight in any head, the layers of its birth and death, in how many heads it is a sink
at most, and, at that layer, the size of its value after W_O and of its state over the medians of
the text.

    python -m dva_lens.analyses.sink_atlas gpt2 --text book.txt --threshold 0.5
"""

import sys
from collections.abc import Iterator
from typing import Any

import xarray as xr

from dva_lens.diagnostics.sinks import sink_atlas
from dva_lens.statistics.extended.atlas import THRESHOLD

from .asking import answered, parser_of

HEADS = (
    "text", "position", "token", "strength", "born", "dies", "layer", "heads", "drain", "peak"
)  # fmt: skip


def table(found: xr.Dataset) -> Iterator[tuple[str, ...]]:
    """Yield the sinks."""
    yield HEADS
    for place in range(found.sizes["sink"]):
        sink = found.isel(sink=place)
        at = sink.isel(layer=int(sink["heads"].values.argmax()))
        yield (
            str(int(sink["sequence"])),
            str(int(sink["position"])),
            repr(str(sink["token"].item())),
            f"{float(sink['strength']):.3f}",
            str(int(sink["born"])),
            str(int(sink["dies"])),
            str(int(at["layer"])),
            str(int(at["heads"])),
            f"{float(at['drain']):.3f}",
            f"{float(at['peak']):.2f}",
        )


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if the model or the text cannot be read."""
    parser = parser_of("dva_lens.analyses.sink_atlas", __doc__ or "")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="mean weight of a sink")
    given = parser.parse_args(arguments)

    def of(model: Any, text: Any) -> Iterator[tuple[str, ...]]:
        return table(sink_atlas(model, text, threshold=given.threshold, length=given.length))

    return answered(given, of)


if __name__ == "__main__":
    sys.exit(main())
