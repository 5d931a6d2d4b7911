"""What does each model cost to train, by five clocks?

"Cheaper" depends on the clock: the loss at equal steps and at equal operations, or the steps, the
operations and the seconds to an equal loss. A model is compared with the baseline by the trainings
of both, and parameters stand beside.

    python -m dva_lens.analyses.training_cost runs/quick --out training_cost.html
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.reports.page import DataTable, Report, Section, Text
from dva_lens.results.archive import Archive
from dva_lens.results.compare import usual_baseline
from dva_lens.results.schema import ArchiveError
from dva_lens.statistics.inference.contrasts import seed_contrasts
from dva_lens.statistics.inference.estimate import FEWEST_SEEDS, Estimate
from dva_lens.statistics.inference.fairness import at_loss
from dva_lens.views.words import shown

from .archive_question import answered

QUESTION = "What does each model cost to train, by five clocks?"
METHOD = (
    "Two clocks read the held-out loss: after the same number of steps, and after the same number "
    "of floating-point operations. Three read what it took to reach a loss that every training "
    "reaches: steps, operations, and seconds on the machine that trained."
)
LOSS, STEP = "held_out_loss", "train_step"


@final
@dataclass(frozen=True)
class TrainingCurve:
    """The held-out loss of one training, wherever it was taken, beside what it had cost so far."""

    loss: np.ndarray
    steps: np.ndarray
    operations: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, log: xr.Dataset, per_token: float) -> "TrainingCurve":
        """Read a training log; `per_token` is how many operations a token takes."""
        taken = log.isel({STEP: np.flatnonzero(np.isfinite(log[LOSS].values))})
        tokens = taken["tokens"].values.astype(np.float64)
        return cls(
            taken[LOSS].values.astype(np.float64),
            taken[STEP].values.astype(np.float64),
            tokens * per_token,
            taken["seconds"].values.astype(np.float64),
        )


@final
@dataclass(frozen=True)
class CommonEnd:
    """What all trainings have in common: their last step, loss and number of operations."""

    step: float
    loss: float
    operations: float

    @classmethod
    def of(cls, curves: Sequence[TrainingCurve]) -> "CommonEnd":
        """Return the end that the shortest, the worst and the cheapest of the trainings set."""
        return cls(
            step=min(curve.steps[-1] for curve in curves),
            loss=max(curve.loss.min() for curve in curves),
            operations=min(curve.operations[-1] for curve in curves),
        )


@final
@dataclass(frozen=True)
class Clock:
    """One way to say what a training cost.

    What a `ratio` reads is compared by how many times as much it is, other clocks by a difference.
    """

    words: str
    ratio: bool
    read: Callable[[TrainingCurve, CommonEnd], float]


def _loss_after(spent: np.ndarray, curve: TrainingCurve, end: float) -> float:
    return float(np.interp(end, spent, curve.loss))


def _until(spent: np.ndarray, curve: TrainingCurve, end: CommonEnd) -> float:
    return float(at_loss(spent, curve.loss, end.loss))


CLOCKS = (
    Clock("loss at equal steps", False, lambda c, end: _loss_after(c.steps, c, end.step)),
    Clock(
        "loss at equal operations",
        False,
        lambda c, end: _loss_after(c.operations, c, end.operations),
    ),
    Clock("steps to equal loss", True, lambda c, end: _until(c.steps, c, end)),
    Clock("operations to equal loss", True, lambda c, end: _until(c.operations, c, end)),
    Clock("seconds to equal loss", True, lambda c, end: _until(c.seconds, c, end)),
)


def curves(archive: Archive, text: str) -> dict[str, list[TrainingCurve]]:
    """Return the trainings that were measured on a text, by model.

    Raises
    ------
    ArchiveError
        No model of the archive was trained here.
    """
    found: dict[str, list[TrainingCurve]] = {}
    per_token = {(run.model, run.seed): run.attrs["flops_per_token"] for run in archive.runs}
    for model, logs in archive.trainings(text).items():
        for log in logs:
            each = float(per_token[model, int(log.attrs["seed"])])
            curve = TrainingCurve.of(log.load(), each)
            if len(curve.loss):
                found.setdefault(model, []).append(curve)
    if not found:
        raise ArchiveError(
            f"{archive.folder} holds no training with a held-out loss, so there is no cost to "
            f"compare; `dva-lens study run` leaves one."
        )
    return found


def costs(
    by_model: Mapping[str, Sequence[TrainingCurve]], end: CommonEnd
) -> dict[str, dict[str, np.ndarray]]:
    """Return what every clock reads for every training up to an end: by clock, then by model."""
    return {
        clock.words: {
            model: np.array([clock.read(curve, end) for curve in each])
            for model, each in by_model.items()
        }
        for clock in CLOCKS
    }


def table(archive: Archive, text: str) -> DataTable:
    """Return the clocks of all models beside the baseline, with intervals over seeds."""
    by_model = curves(archive, text)
    baseline = usual_baseline(list(by_model))
    end = CommonEnd.of([curve for each in by_model.values() for curve in each])
    read = costs(by_model, end)
    parameters = {run.model: int(run.attrs["parameters"]) for run in archive.runs}
    rows = []
    for model, each in by_model.items():
        cells = [
            _cell(clock, read[clock.words], model, baseline if model != baseline else None)
            for clock in CLOCKS
        ]
        rows.append((model, f"{parameters[model]:,}", str(len(each)), *cells))
    return DataTable(
        name=f"clocks-{text}",
        title=f"Trainings on {text}",
        columns=("model", "parameters", "seeds", *(clock.words for clock in CLOCKS)),
        rows=tuple(rows),
        caption=(
            f"What {baseline} reads stands in its own row; other models show their difference "
            f"from it, or how many times as much they take, with 95 % intervals over seeds where "
            f"both have {FEWEST_SEEDS} or more. Equal loss is {end.loss:.3f}, the lowest that "
            f"every training reaches; between evaluations, curves are straight. Seconds hold for "
            f"the machine that trained and whatever else it did."
        ),
    )


def _cell(clock: Clock, read: Mapping[str, np.ndarray], model: str, baseline: str | None) -> str:
    if baseline is None:
        return f"{read[model].mean():,.4g}"
    pair = {name: read[name][:, None] for name in (model, baseline)}
    if clock.ratio:
        pair = {name: np.log(values) for name, values in pair.items()}
    if min(map(len, pair.values())) < FEWEST_SEEDS:
        return _shown(clock, pair[model].mean() - pair[baseline].mean())
    return _with_interval(clock, seed_contrasts(pair, baseline)[model])


def _with_interval(clock: Clock, found: Estimate) -> str:
    numbers = [each.item() for each in (found.mean, found.low, found.high)]
    if clock.ratio:
        numbers = [float(np.exp(each)) for each in numbers]
    return f"{'× ' if clock.ratio else ''}{shown(*numbers)}"


def _shown(clock: Clock, difference: float) -> str:
    return f"× {np.exp(difference):.3g}" if clock.ratio else shown(difference)


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        No model of the archive was trained here.
    """
    texts = [text for text in archive.main_texts if archive.trainings(text)]
    tables = tuple(table(archive, text) for text in texts or archive.main_texts)
    held = (axes.MODEL, str(len({run.model for run in archive.runs})))
    return Report(
        title="Training cost",
        lede=QUESTION,
        facts=(held, ("archive", str(archive.folder))),
        sections=(
            Section("clocks", "Five clocks", tables),
            Section("method", "What the clocks read", (Text(METHOD),)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("training_cost", __doc__, report, arguments)


if __name__ == "__main__":
    sys.exit(main())
