"""Choose the learning rate of every preset from a pilot, whose parts differ in the rate alone.

A preset gets the smallest rate whose held-out loss at the end is within `WITHIN` nat of its best:
of rates that one seed cannot tell from each other, the most cautious.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dva_lens.results.archive import Archive, open_archive

WITHIN = 0.02

Losses = Mapping[float, float]


def losses_of(archive: Archive) -> dict[str, dict[float, float]]:
    """Return the held-out loss at the end of training by preset and learning rate."""
    found: dict[str, dict[float, float]] = {}
    for run in archive.runs:
        rate = float(json.loads(run.attrs["recipe"])["learning_rate"])
        found.setdefault(run.preset, {})[rate] = float(run.attrs["loss"])
    return found


def chosen(losses: Losses) -> float:
    """Return the smallest rate whose loss is within `WITHIN` nat of the best."""
    best = min(losses.values())
    return min(rate for rate, loss in losses.items() if loss <= best + WITHIN)


def lines(archive: Archive) -> Iterator[str]:
    """Yield a line per preset, as a study file takes it, the losses as a comment."""
    yield "learning_rates:"
    for preset, losses in losses_of(archive).items():
        said = ", ".join(f"{rate:g}: {loss:.3f}" for rate, loss in sorted(losses.items()))
        yield f"  {preset}: {chosen(losses):g} # {said}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rates that a pilot chooses, as YAML."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what `dva-lens study run pilot.yaml` wrote")
    given = parser.parse_args(arguments)
    sys.stdout.writelines(f"{line}\n" for line in lines(open_archive(given.folder)))


if __name__ == "__main__":
    main()
