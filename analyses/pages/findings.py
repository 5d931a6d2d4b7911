"""What the reference trainings show, written from the results that come with the package.

python -m dva_lens.analyses.pages.findings > docs/findings.md
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dva_lens import axes
from dva_lens.files import read_yaml
from dva_lens.reports.findings import findings
from dva_lens.reports.page import Points
from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.claims import Asked, held_against
from dva_lens.results.estimates import estimate
from dva_lens.results.schema import ArchiveError
from dva_lens.statistics.inference.estimate import FEWEST_SEEDS
from dva_lens.statistics.inference.plan import Verdict, claims_from
from dva_lens.views.words import p_value, shown

from ..questions import questions_to_archives
from ..training_cost import METHOD, QUESTION, table

PLAN = Path(__file__).parents[1] / "reference" / "plan.yaml"
BY_LAYER = ("first_key_mass", "written_value_drain", "normalised_entropy")
INTRODUCTION = """# Findings

Made by `python -m dva_lens.analyses.pages.findings` from the reference results, which `dva-lens
explore reference` shows. The study, the pilot that chose its learning rates and the plan of claims
are in analyses/reference; the plan was written before the first training, and every training notes
its hash; `python -m dva_lens.analyses.reference.verify` holds all trainings against these files.
Five seeds were meant for `transformer` and `resformer-identity`, and three for the others; `gated`
was given five after three had left its claim undecided, which makes its p smaller than that of a
test settled beforehand. The value of every pair in DVA is a family of forms of ours: the formula
of its authors is not public.

{trained}
"""
ELSEWHERE = ("entropy-by-depth", "competing-definitions", "training-cost")
"""Questions whose numbers stand in other parts of this page, or that have no sentences."""
FURTHER = """## Further questions

What `dva-lens report reference` says to questions about the whole archive, with tables and figures
there. Intervals are over seeds; a single run or two have none.
"""
COSTS = """## What each model costs

Means of all seeds. The machine had other work on its cores, so that seconds measure no speed.
"""


def page(archive: Archive) -> str:
    """Return the whole page."""
    parts = [INTRODUCTION.format(trained=_trained(archive)), _claims(archive)]
    parts += [_shown(archive, text) for text in archive.main_texts]
    return "\n".join([*parts, _answers(archive), _layers(archive), _costs(archive)])


def _trained(archive: Archive) -> str:
    """Say which trainings are there, and what may be said of them."""
    lines: list[str] = []
    for text in archive.main_texts:
        held = Counter(run.model for run in archive.runs if archive.texts_of(run)[0] == text)
        few = [model for model, seeds in held.items() if seeds < FEWEST_SEEDS]
        said = ", ".join(f"{model} ({seeds})" for model, seeds in held.items())
        limit = f" With fewer than {FEWEST_SEEDS} seeds nothing is claimed about an architecture."
        lines.append(f"On {text}, seeds in brackets: {said}.{limit if few else ''}")
    return "\n\n".join(lines)


def _claims(archive: Archive) -> str:
    claims = claims_from(read_yaml(PLAN))
    held = {run.model for run in archive.runs}
    there = [claim for claim in claims if {claim.model, claim.baseline} - {None, "zero"} <= held]
    left = len(claims) - len(there)
    rows = [_claim(verdict) for verdict in held_against(archive, there, Asked())]
    waits = ""
    if left:
        ones = "claim waits for its" if left == 1 else "claims wait for their"
        waits = f"\n\n{left} further {ones} trainings."
    return (
        "## What was expected, and what came\n\n"
        "Differences are of the architecture trained again, with 95 % intervals over seeds; p is "
        "adjusted over all claims (Holm). A claim is undecided where the data allow both."
        " Some would be decided if they were the only one; that is said.\n\n"
        + _table(("claim", "answer", "estimate", "p", "why"), rows)
        + waits
        + "\n"
    )


def _claim(verdict: Verdict) -> tuple[str, ...]:
    claim, found = verdict.claim, verdict.estimate
    than = f"{claim.direction} {'to' if claim.direction == 'equal' else 'than'} {claim.baseline}"
    margin = f" within {claim.margin:g}" if claim.margin else ""
    when = " at equal loss" if claim.at == "loss" else ""
    words = f"{claim.statistic} of {claim.model} {than}{margin} ({claim.contrast}){when}"
    number = "" if found is None else shown(*map(float, (found.mean, found.low, found.high)))
    p = p_value(verdict.adjusted) if np.isfinite(verdict.adjusted) else ""
    return words, verdict.answer, number, p, verdict.reason


def _shown(archive: Archive, text: str) -> str:
    found = findings(archive, text)
    lines = "\n".join(f"- {entry.words}" for entry in found.entries)
    return f"## On {text}, {found.when}\n\n{lines}\n"


def _answers(archive: Archive) -> str:
    """Return the sentences that answer further questions, of those that can be answered."""
    parts = [FURTHER]
    for name, ask in questions_to_archives().items():
        if name in ELSEWHERE:
            continue
        try:
            answer = ask(archive)
        except ArchiveError:
            continue
        points = (part for part in answer.sections[0].parts if isinstance(part, Points))
        lines = [f"- {about} {words}" for each in points for about, words in each.entries]
        parts.append("\n".join([f"### {answer.title}\n\n{answer.lede}\n", *lines, ""]))
    return "\n".join(parts)


def _layers(archive: Archive) -> str:
    parts = ["## Layer by layer\n\nMeans of all seeds and heads, at the last step.\n"]
    for name in BY_LAYER:
        for text in archive.main_texts:
            measured = archive.on(text)
            if name in measured.statistics:
                title = measured.variable(name).attrs["long_name"]
                parts += [f"### {title} on {text}\n", _by_layer(archive, name, text)]
    return "\n".join(parts)


def _by_layer(archive: Archive, name: str, text: str) -> str:
    found = estimate(archive.values(name, text=text), [axes.LAYER])
    layers = found[axes.LAYER].values
    rows = [
        (str(model), *(shown(float(value)) for value in found["value"].sel(model=model).values))
        for model in found[axes.MODEL].values
    ]
    return _table(("model", *(str(layer) for layer in layers)), rows) + "\n"


def _costs(archive: Archive) -> str:
    header = ("text", "model", "parameters", "FLOPs per token", "seconds", "held-out loss")
    return f"{COSTS}\n{_table(header, [*_cost_rows(archive)])}\n{_clocks(archive)}"


def _clocks(archive: Archive) -> str:
    """Compare what trainings cost by several clocks, on every text that was trained on."""
    parts = [f"## {QUESTION}\n\n{METHOD}\n"]
    for text in archive.main_texts:
        if archive.trainings(text):
            found = table(archive, text)
            rows = [tuple(map(str, row)) for row in found.rows]
            parts.append(f"### {found.title}\n\n{found.caption}\n\n{_table(found.columns, rows)}")
    return "\n".join(parts)


def _cost_rows(archive: Archive) -> Iterator[tuple[str, ...]]:
    for text in archive.main_texts:
        runs = [run for run in archive.runs if archive.texts_of(run)[0] == text]
        for model in dict.fromkeys(run.model for run in runs):
            own = [run.attrs for run in runs if run.model == model]
            seconds, loss = (
                float(np.mean([attrs[key] for attrs in own])) for key in ("train_seconds", "loss")
            )
            yield (
                text,
                model,
                f"{own[0]['parameters']:,}",
                f"{own[0]['flops_per_token']:,.0f}",
                f"{seconds:.0f}",
                f"{loss:.3f}",
            )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(open_archive(sys.argv[1] if sys.argv[1:] else "reference")))
