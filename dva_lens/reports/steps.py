"""Models beside those that differ from them in one thing: what changes, in words and in a table.

Every number and verdict is that of `results.compare` against the baseline of the step, whose
family holds all models and primary statistics.
"""

from collections.abc import Sequence

from dva_lens.reports.differences import interval, title_of
from dva_lens.reports.material import Material
from dva_lens.reports.page import Cell, DataTable, Points
from dva_lens.reports.sentences import changes, limits, nothing_changes
from dva_lens.results.compare import Comparisons, compare
from dva_lens.results.factors import FactorStep
from dva_lens.results.schema import NotComparableError
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import MEAN
from dva_lens.views.words import listed, p_value

SAID = ("first_key_mass", "written_value_drain", "normalised_entropy", "dynamism", "loss")
BESIDE = ("sink_free_entropy", "sink_output_share", "massive_activation", "value_source_share")
LISTED = (*SAID[:3], *BESIDE, *SAID[3:])
CAPTION = (
    "Differences from the model that the row names, with 95 % intervals. Retrained: the same "
    "architectures with other seeds, the seeds being the units. On new text: these checkpoints, "
    "paired by text. p values are adjusted over all models and primary statistics against that "
    "baseline (Holm), and so are verdicts. At equal loss: the same difference where both have the "
    "lowest loss that all models reach, and its verdict. Widths of queries, keys and values are "
    "those of the study and may differ too. What no two models differ in is left out."
)


def steps_in_words(material: Material, steps: Sequence[FactorStep]) -> Points:
    """Say what each step changes: one by one over seeds, and what of it remains after adjustment.

    Raises
    ------
    NotComparableError
        If the models were measured on different texts.
    """
    said = [(f"{step.model} against {step.baseline}:", _said(material, step)) for step in steps]
    return Points(tuple(said))


def step_table(
    material: Material, name: str, title: str, steps: Sequence[FactorStep]
) -> DataTable:
    """Return all differences of some steps as a table.

    Raises
    ------
    NotComparableError
        If the models were measured on different texts.
    """
    rows: list[dict[str, Cell]] = []
    for step in steps:
        late = _at_loss(material, step.baseline)
        for one in _entries(compare(material.measurements, step.baseline), step, LISTED):
            place: dict[str, Cell] = {
                "model": step.model,
                "against": step.baseline,
                "statistic": title_of(material, one.statistic),
                "over depth": one.contrast,
            }
            equal = [] if late is None else _entries(late, step, [one.statistic])
            same = [each for each in equal if each.contrast == one.contrast]
            rows.append({**place, **_numbers(one, same)})
    return DataTable.of(name, title, rows, CAPTION)


def _said(material: Material, step: FactorStep) -> str:
    found = compare(material.measurements, step.baseline)
    own = _entries(found, step, SAID)
    if not own:
        return f"{step.words}. Nothing changes in what was measured."
    if not own[0].retrained.supports_claims:
        titles = {
            name: title_of(material, name) for name in dict.fromkeys(e.statistic for e in own)
        }
        first = [next(one for one in own if one.statistic == name) for name in titles]
        return f"{step.words}. {changes(first, titles)}. {limits(first)}".rstrip()
    return f"{step.words}. {_over_seeds(material, own, found.family)}"


def _over_seeds(material: Material, own: Sequence[Comparison], family: int) -> str:
    """Say what differs over seeds: by itself, and after adjustment for the whole family."""
    sizes = {
        id(one): f"{_name(material, one)} {interval(one.retrained)}"
        for one in own
        if float(one.retrained.low) > 0 or float(one.retrained.high) < 0
    }
    if not sizes:
        return "No interval over seeds leaves out zero."
    left = [_name(material, one) for one in own if one.word != "undecided"]
    more = "remains" if len(left) == 1 else "remain"
    rest = f"{listed(left)} {more}" if left else "none remains"
    return (
        f"Intervals over seeds that leave out zero, each by itself: {listed([*sizes.values()])}. "
        f"After adjustment for all {family} comparisons with this baseline, {rest}."
    )


def _name(material: Material, one: Comparison) -> str:
    title = title_of(material, one.statistic)
    where = "" if one.contrast == MEAN else f" ({one.contrast})"
    return f"{title[:1].lower()}{title[1:]}{where}"


def _entries(found: Comparisons, step: FactorStep, names: Sequence[str]) -> list[Comparison]:
    each = [one for name in names for one in found.of(name, model=step.model)]
    return [one for one in each if not nothing_changes(one)]


def _at_loss(material: Material, baseline: str) -> Comparisons | None:
    """Return the comparison at equal loss, None where models were measured once."""
    try:
        return compare(material.measurements, baseline, moment="loss")
    except NotComparableError:
        return None


def _numbers(one: Comparison, at_loss: Sequence[Comparison]) -> dict[str, Cell]:
    equal = [f"{interval(each.retrained)}, {each.word}" for each in at_loss]
    return {
        "retrained": interval(one.retrained),
        "adjusted p": p_value(one.retrained_adjusted),
        "on new text": interval(one.text),
        "verdict": one.verdict,
        "at equal loss": equal[0] if equal else None,
    }
