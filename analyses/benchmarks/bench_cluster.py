"""How much faster are two local workers of a cluster than one, for a study of eight small runs?

Workers compute with one thread each, and are up, with everything imported, before a clock starts.
A pair is the time of the study on two workers and that on one, each into a new folder. It needs
two idle cores and the extra `cluster`.

    python -m dva_lens.analyses.benchmarks.bench_cluster [--pairs 3] [--check]
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dva_lens.study.cluster.connection import Cluster, connected
from dva_lens.study.cluster.studies import run_on_cluster
from dva_lens.study.definition import Study

from .timing import answered, asking, paired

BOUND = 1.7
STUDY: dict[str, Any] = {
    "name": "eight",
    "task": "bigram-backcopy",
    "presets": ["transformer", "resformer-identity"],
    "seeds": [0, 1, 2, 3],
    "size": {"layers": 2, "width": 64, "heads": 2, "vocabulary": 64, "context": 64},
    "recipe": {"steps": 60, "batch": 8, "warmup": 6, "eval_every": 30, "measurements": 2},
    "texts": ["held-out"],
    "sequences": 8,
}


@final
@dataclass(frozen=True)
class ClusterOutcome:
    """What a study took on two workers and on one, and how much faster two are."""

    runs: int
    two: float
    one: float
    ratio: float
    bound: float
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether two workers are as much faster as they should be."""
        return self.ratio >= self.bound


def outcome_of(pairs: int, *, study: Study) -> ClusterOutcome:
    """Run the study on two workers and on one, in turns."""
    with connected("local:2", threads=1) as two, connected("local:1", threads=1) as one:
        times = paired(lambda: _run(study, two), lambda: _run(study, one), pairs)
    runs = len(study.presets) * len(study.seeds)
    return ClusterOutcome(runs, times.baseline, times.contender, times.ratio, BOUND, times.pairs)


def _run(study: Study, cluster: Cluster) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_on_cluster(study, Path(folder) / "runs", cluster, edges=0)


def table(outcome: ClusterOutcome) -> list[str]:
    """Return the outcome as lines of text."""
    broken = "" if outcome.holds else f"  BROKEN (bound {outcome.bound})"
    return [
        "runs  two workers  one worker  times as fast",
        f"{outcome.runs:4d}  {outcome.two:9.1f} s  {outcome.one:8.1f} s  "
        f"{outcome.ratio:13.2f}{broken}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    chosen = asking(__doc__, pairs=3).parse_args(arguments)
    outcome = outcome_of(chosen.pairs, study=Study.from_dict(STUDY))
    return answered([outcome], table(outcome), chosen)


if __name__ == "__main__":
    sys.exit(main())
