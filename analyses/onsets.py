"""When in training do sinks come, and do values drain before, with or after them?

For every training that was measured as it was trained: the heads that end with a sink at the first
key, the step at which the weight there was half of the way from first to last, and the same for
the size of the value there and for the largest massive-activation ratio. Which comes first is
asked head by head; intervals are over seeds.

    python -m dva_lens.analyses.onsets runs/quick --out onsets.html
"""

import sys
from collections.abc import Sequence

import numpy as np

from dva_lens.reports.facts import facts
from dva_lens.reports.material import gather
from dva_lens.reports.page import Cell, DataTable, Points, Report, Section, Text
from dva_lens.reports.seeds import HOW, over_seeds, seeds_in_words
from dva_lens.results.archive import Archive
from dva_lens.results.change_points import ChangePoints, change_points
from dva_lens.results.schema import ArchiveError
from dva_lens.views.words import listed, number

from .archive_question import answered, need

QUESTION = "When in training do sinks come, and do values drain before, with or after them?"
SIGNS = {"drain": "the drained value", "peak": "the peak of the residual stream"}
METHOD = (
    "A change point is where a number is first half-way from what it is at the first measured "
    "step to what it is at the last, in powers, on a straight line between measured steps over "
    "the logarithm of the step. Counted in equal differences instead, a weight that grows would "
    "be half-way later, and values would seem to drain before it. Heads are those that end with a "
    "sink at the first key. Nothing finer than the measured steps can be seen: {steps}."
)


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        No training was measured at three steps or more, or none ends with a sink.
    """
    material = gather(archive)
    need(material, "first_key_mass")
    found = change_points(material.measurements)
    if not found:
        raise ArchiveError(
            f"{archive.folder} holds no training that was measured at three steps or more; "
            f"`dva-lens study run` measures models as they are trained."
        )
    if not any(each.heads for each in found):
        raise ArchiveError(f"No training of {archive.folder} ends with a sink at the first key.")
    models = {
        model: [each for each in found if each.model == model]
        for model in dict.fromkeys(each.model for each in found)
    }
    measured = dict.fromkeys(tuple(each.steps.tolist()) for each in found)
    steps = " or ".join(listed([f"{step:,}" for step in one]) for one in measured)
    said = tuple((f"{model}:", _sentence(own)) for model, own in models.items())
    return Report(
        title="Onsets in training",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (Points(said), _table(models))),
            Section("method", "Change points", (Text(METHOD.format(steps=steps)),)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("onsets", __doc__, report, arguments)


def _sentence(own: Sequence[ChangePoints]) -> str:
    """Say when sinks came in a model, and what came before or after them."""
    heads = sum(each.heads for each in own)
    if not heads:
        return f"no head ends with a sink at the first key in {number(len(own), 'training')}."
    verb = "ends" if heads == 1 else "end"
    orders = [f"{title} {_order(own, sign)}" for sign, title in SIGNS.items()]
    return (
        f"{number(heads, 'head')} of {number(len(own), 'training')} {verb} with a sink, which is "
        f"half of the way at step {_step(own, 'sink')}; {'; '.join(orders)}."
    )


def _order(own: Sequence[ChangePoints], sign: str) -> str:
    """Say whether a sign comes before or after the sink of the same head, over seeds."""
    later = [each.later(sign) for each in own if each.heads]
    found = over_seeds(later)
    if not found.units_count:
        return "does not come"
    ratio = _ratio(later)
    if not found.supports_claims:
        return f"comes at {ratio} the step of the sink"
    if float(found.low[0]) > 0:
        return f"comes later, at {ratio} its step"
    if float(found.high[0]) < 0:
        return f"comes earlier, at {ratio} its step"
    return f"comes neither surely before nor surely after, at {ratio} its step"


def _ratio(later: Sequence[float]) -> str:
    return f"{seeds_in_words(later, back=np.exp)} times" if len(later) else "–"


def _table(models: dict[str, list[ChangePoints]]) -> DataTable:
    rows: list[dict[str, Cell]] = [
        {
            "model": model,
            "trainings": len(own),
            "with a sink at last": sum(each.heads > 0 for each in own),
            "sink at step": _step(own, "sink"),
            "drain at step": _step(own, "drain"),
            "peak at step": _step(own, "peak"),
            **{f"{sign} / sink": seeds_in_words(_later(own, sign), back=np.exp) for sign in SIGNS},
        }
        for model, own in models.items()
    ]
    caption = (
        f"{HOW} Steps are means over heads in the logarithm, and over seeds. The last columns say "
        "at how many times the step of its sink the value of a head is drained, or the residual "
        "stream has its peak: above one it comes later. Values that do not end drained and "
        "streams that hardly grow have no step."
    )
    return DataTable.of("change-points", "Half of the way", rows, caption)


def _step(own: Sequence[ChangePoints], sign: str) -> str:
    return seeds_in_words(np.log1p([each.middle(sign) for each in own]), back=np.expm1)


def _later(own: Sequence[ChangePoints], sign: str) -> list[float]:
    return [each.later(sign) for each in own if each.heads]


if __name__ == "__main__":
    sys.exit(main())
