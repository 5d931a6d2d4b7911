"""Whether intervals and error rates hold what they promise, on simulated data of known truth.

Texts nest in documents, seeds nest in architectures, and the truth is set by hand; every row says
how often an interval held it, or how often a test was wrong. Rows without a promise show what
other common choices would have done.

    python -m dva_lens.analyses.benchmarks.calibration > docs/calibration.md
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import final

import numpy as np

from dva_lens.statistics.inference.contrasts import seed_contrasts, text_contrast
from dva_lens.statistics.inference.equivalence import equivalence
from dva_lens.statistics.inference.estimate import Estimate, profile
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg, holm

COVER = (0.93, 0.97)
CELLS = 200
REPLICATIONS = 4000
UNEQUAL = ((1, 3), (1, 10), (1, 30), (1, 1, 10), (1, 5, 25), (1, 10, 100), (1, 1, 1, 1, 20))
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@final
@dataclass(frozen=True)
class Setting:
    """One setting: what was promised, what came out, and the error of the simulation."""

    question: str
    setting: str
    low: float | None
    high: float | None
    measured: float
    error: float

    @property
    def holds(self) -> bool | None:
        """Whether the promise holds up to simulation error; None where nothing is promised."""
        if self.low is None or self.high is None:
            return None
        return self.low - 2 * self.error <= self.measured <= self.high + 2 * self.error


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard normal numbers."""
    return generator.standard_normal(shape)


def skewed(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw centred log-normal numbers with a skewness of about 1.3, as masses often have."""
    return np.exp(0.4 * generator.standard_normal(shape)) - np.exp(0.08)


def text_rows(generator: np.random.Generator, batches: int) -> Iterator[Setting]:
    """Cover the mean over new documents, which hold one to four sequences each."""
    for word, draw in (("normal", normal), ("skewed", skewed)):
        for documents in (5, 12, 25, 50, 100):
            held = [_covers_text(generator, draw, documents) for _ in range(batches)]
            setting = f"{documents} documents of 1-4 sequences, {word}"
            yield _row("Interval on new text", setting, COVER, held)
    held = [_covers_text(generator, normal, 25, as_one=False) for _ in range(batches)]
    yield _row("Sequences taken for units", "25 documents of 1-4 sequences, normal", None, held)


def length_rows(generator: np.random.Generator) -> Iterator[Setting]:
    """Cover the mean by size where documents differ much in size, and size goes with the value.

    Every replication draws sizes of its own.
    """
    count = REPLICATIONS
    for documents in (3, 8, 24, 60):
        size = np.exp(normal(generator, (documents, count)))
        values = 0.5 * np.log(size) + normal(generator, size.shape)
        names = np.arange(documents).astype(str)
        setting = f"{documents} documents, lognormal sizes, effect 0.5 log size"
        found = profile(values, names, weights=size)
        yield _row("Interval on new text", setting, COVER, [_covers(found, 0.5)])
        if documents > 3:
            held = _percentile_over_documents(generator, values, size)
            yield _row("Documents bootstrapped", setting, None, [held])
    size = np.exp(normal(generator, (24, count)))
    values = np.log(size) + normal(generator, size.shape)
    found = profile(values, np.arange(24).astype(str), weights=size)
    setting = "24 documents, lognormal sizes, effect 1.0 log size"
    yield _row("Interval on new text", setting, None, [_covers(found, 1.0)])
    for sizes in UNEQUAL:
        values = normal(generator, (len(sizes), count))
        names = np.arange(len(sizes)).astype(str)
        found = profile(values, names, weights=np.array(sizes, dtype=np.float64)[:, None])
        setting = f"{len(sizes)} documents, sizes {' : '.join(map(str, sizes))}"
        yield _row("Interval on new text", setting, COVER, [_covers(found, 0.0)])


def paired_rows(generator: np.random.Generator, batches: int) -> Iterator[Setting]:
    """Cover the difference of two sets of checkpoints on the same texts."""
    for documents in (12, 50):
        held = []
        for _ in range(batches):
            text = 3 * normal(generator, (1, documents, CELLS))
            ours = text + normal(generator, (3, documents, CELLS)) + 0.5
            theirs = text + normal(generator, (3, documents, CELLS))
            names = np.arange(documents).astype(str)
            held.append(_covers(text_contrast(ours, theirs, names), 0.5))
        yield _row("Paired difference on new text", f"{documents} documents", COVER, held)


def seed_rows(generator: np.random.Generator, cells: int) -> Iterator[Setting]:
    """Cover the difference between architectures, over their seeds."""
    spreads = {"alike": 1.0, "new model 2x": 2.0, "new model 4x": 4.0}
    for seeds in (2, 3, 5, 8):
        for word, spread in spreads.items():
            models = _models(generator, seeds, (1.0, spread, 1.0, 1.0), cells)
            promise = COVER if seeds >= 3 else None
            setting = f"{seeds} seeds, seeds vary {word}"
            own = seed_contrasts(models, "0")["1"]
            yield _row("Interval on retraining", setting, promise, [_covers(own, 0.5)])
            shared = seed_contrasts(models, "0", variance="pooled")["1"]
            yield _row("Variance pooled over 4 models", setting, None, [_covers(shared, 0.5)])
    for seeds in (2, 5):
        models = _models(generator, seeds, (1.0, 1.0), 2000)
        held = _percentile_over_seeds(generator, models["0"], models["1"])
        yield _row("Seeds bootstrapped", f"{seeds} seeds, seeds vary alike", None, [held])


def error_rows(generator: np.random.Generator, families: int) -> Iterator[Setting]:
    """Count false claims among many comparisons, and false claims of equality."""
    p = _family(generator, families, 12, true=0)
    false = _any(holm, p) > 0
    yield _row("Any false claim (Holm)", "12 contrasts, 3 seeds, none true", (0.0, 0.05), [false])
    p = _family(generator, families, 12, true=6)
    false = _any(holm, p, first=6) > 0
    yield _row("Any false claim (Holm)", "12 contrasts, 5 seeds, 6 true", (0.0, 0.05), [false])
    p = _family(generator, families, 144, true=30)
    shares = np.array([_false_share(benjamini_hochberg(row), 30) for row in p])
    setting = "144 heads, 5 seeds, 30 true"
    yield _row("Share of false finds (Benjamini-Hochberg)", setting, (0.0, 0.05), [shares])
    for truth, promise in ((1.0, (0.0, 0.05)), (0.0, None)):
        models = _models(generator, 5, (0.5, 0.5), 20 * families, shift=truth)
        found = seed_contrasts(models, "0")["1"]
        said = equivalence(found.mean, found.error, found.freedom, 1.0) <= 0.05
        setting = f"5 seeds, true difference {truth:g}"
        yield _row("Equal within 1 is claimed", setting, promise, [said])


def same_rows(generator: np.random.Generator, batches: int) -> Iterator[Setting]:
    """Show that two halves of one architecture's seeds differ on texts: an A/A comparison."""
    found = []
    for _ in range(batches):
        seed = normal(generator, (2, 1, CELLS))
        values = seed + normal(generator, (2, 25, CELLS))
        names = np.arange(25).astype(str)
        found.append(text_contrast(values[:1], values[1:], names).p <= 0.05)
    yield _row("Checkpoints differ (A/A)", "25 documents, 1 seed against another", None, found)


def page(rows: list[Setting]) -> str:
    """Return the rows as a page of documentation."""
    lines = [
        "# Calibration",
        "",
        "How often intervals hold the truth, and how often tests are wrong, on simulated data.",
        "Intervals are 95 % intervals; ± is the error of the simulation. Rows without a promise",
        "show other common choices, and what two seeds are worth. Made by",
        "`python -m dva_lens.analyses.benchmarks.calibration > docs/calibration.md`.",
        "",
    ]
    lines += ["| what | setting | promised | measured | holds |", "|---|---|---|---|---|"]
    for row in rows:
        promised = "-" if row.holds is None else f"{row.low:.0%} to {row.high:.0%}"
        answer = {None: "no promise", True: "yes", False: "**no**"}[row.holds]
        measured = f"{row.measured:.1%} ± {row.error:.1%}"
        lines.append(f"| {row.question} | {row.setting} | {promised} | {measured} | {answer} |")
    return "\n".join(lines) + "\n"


def simulate(*, seed: int = 0, scale: float = 1.0) -> list[Setting]:
    """Return all rows; `scale` shortens the simulation for tests."""
    generator = np.random.default_rng(seed)
    batches = max(int(20 * scale), 2)
    rows = [*text_rows(generator, batches), *length_rows(generator)]
    rows += paired_rows(generator, batches)
    rows += seed_rows(generator, max(int(20000 * scale), 500))
    rows += error_rows(generator, max(int(2000 * scale), 50))
    rows += same_rows(generator, batches)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print numbers instead of a table")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    rows = simulate(seed=chosen.seed)
    shown = json.dumps([{**asdict(row), "holds": row.holds} for row in rows], indent=1) + "\n"
    sys.stdout.write(shown if chosen.json else page(rows))
    return int(any(row.holds is False for row in rows))


def _row(
    question: str, setting: str, promise: tuple[float, float] | None, held: list[np.ndarray]
) -> Setting:
    """Summarise batches of outcomes; cells of one batch may share what was drawn."""
    outcomes = np.concatenate([np.ravel(batch) for batch in held]).astype(np.float64)
    error = outcomes.std() / np.sqrt(len(outcomes))
    if len(held) > 1:
        between = np.std([float(np.mean(batch)) for batch in held], ddof=1) / np.sqrt(len(held))
        error = max(error, between)
    low, high = promise or (None, None)
    return Setting(question, setting, low, high, float(outcomes.mean()), float(error))


def _covers(estimate: Estimate, truth: float) -> np.ndarray:
    return (estimate.low <= truth) & (truth <= estimate.high)


def _covers_text(
    generator: np.random.Generator, draw: Draw, documents: int, *, as_one: bool = True
) -> np.ndarray:
    belongs = np.repeat(np.arange(documents), generator.integers(1, 5, documents))
    values = draw(generator, (documents, CELLS))[belongs]
    values = values + draw(generator, (len(belongs), CELLS))
    names = belongs if as_one else np.arange(len(belongs))
    return _covers(profile(values, names.astype(str)), 0.0)


def _models(
    generator: np.random.Generator,
    seeds: int,
    spreads: tuple[float, ...],
    cells: int,
    shift: float = 0.5,
) -> dict[str, np.ndarray]:
    """Return models over (seed, cell); every one but the first is `shift` above it."""
    return {
        str(model): spread * normal(generator, (seeds, cells)) + (shift if model else 0.0)
        for model, spread in enumerate(spreads)
    }


def _percentile_over_seeds(
    generator: np.random.Generator, theirs: np.ndarray, ours: np.ndarray
) -> np.ndarray:
    seeds = len(ours)
    drawn = [model[generator.integers(0, seeds, (500, seeds))].mean(1) for model in (theirs, ours)]
    low, high = np.quantile(drawn[1] - drawn[0], [0.025, 0.975], axis=0)
    return (low <= 0.5) & (high >= 0.5)


def _percentile_over_documents(
    generator: np.random.Generator, values: np.ndarray, size: np.ndarray
) -> np.ndarray:
    documents, count = values.shape
    times = generator.multinomial(documents, np.full(documents, 1 / documents), size=1000)
    low, high = (np.empty(count) for _ in range(2))
    for start in range(0, count, CELLS):
        part = slice(start, start + CELLS)
        means = (times @ (values * size)[:, part]) / (times @ size[:, part])
        low[part], high[part] = np.quantile(means, [0.025, 0.975], axis=0)
    return (low <= 0.5) & (high >= 0.5)


def _family(
    generator: np.random.Generator, families: int, contrasts: int, *, true: int
) -> np.ndarray:
    """Return p values over (family, contrast), correlated; the first `true` differ by 4."""
    seeds = 5 if true else 3
    shared = normal(generator, (2, seeds, families, 1))
    own = normal(generator, (2, seeds, families, contrasts))
    values = np.sqrt(0.5) * (shared + own)
    values[1, ..., :true] += 4.0
    return seed_contrasts({"base": values[0], "new": values[1]}, "base")["new"].p


def _any(
    adjust: Callable[[np.ndarray], np.ndarray], p: np.ndarray, *, first: int = 0
) -> np.ndarray:
    """Return for each family how many claims among the untrue ones were made."""
    return np.array([(adjust(row)[first:] <= 0.05).sum() for row in p])


def _false_share(adjusted: np.ndarray, true: int) -> float:
    found = adjusted <= 0.05
    return float(found[true:].sum() / max(found.sum(), 1))


if __name__ == "__main__":
    sys.exit(main())
