"""Which mechanisms concentrate attention, and which grow sinks and drained values?

The models of an archive in three orders: by how concentrated attention is, by the share of heads
with a sink, and by how small the value of the first key is. Each number has its interval over
retrained models, and beside it what uniform attention over the same keys reads. Among models with
equal shares of sinks, the weight on the first key over that of uniform attention decides.

    python -m dva_lens.analyses.order_of_mechanisms runs/zoo --out order.html
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dva_lens import axes
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.findings import measured_on
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, DataTable, Points, Report, Section
from dva_lens.reports.seeds import HOW, over_seeds, seeds_in_words, seeds_minus
from dva_lens.results.archive import Archive
from dva_lens.results.estimates import mean_of
from dva_lens.results.schema import ArchiveError
from dva_lens.results.sink_accounts import sink_accounts
from dva_lens.statistics.sinks import DEFINITION
from dva_lens.views.words import listed, shown

from .archive_question import answered, need

QUESTION = "Which mechanisms concentrate attention, and which grow sinks and drained values?"
CONCENTRATION, MASS, DRAIN = "normalised_entropy", "first_key_mass", "written_value_drain"
LEAST = 5
"""How many models make an order; of fewer, every other page shows all side by side."""
NAMED = 3

Numbers = Mapping[str, Sequence[float]]


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive holds few models, or lacks a statistic that the question is about.
    """
    material = gather(archive)
    need(material, CONCENTRATION, MASS, DRAIN)
    if len(material.models) < LEAST:
        raise ArchiveError(
            f"An order of mechanisms needs at least {LEAST} models, and {archive.folder} holds "
            f"{len(material.models)}; train more in one study, such as `zoo`."
        )
    entropy, mass, drain = (_by_seed(material, name) for name in (CONCENTRATION, MASS, DRAIN))
    sinks = _sinks(archive, material)
    excess = _above_uniform(mass, _uniform(material, MASS))
    orders = {
        "concentration": _ordered(entropy, np.positive),
        "sinks": _ordered(sinks, np.negative, excess),
        "drain": _ordered(drain, np.positive),
    }
    return Report(
        title="Mechanisms in order",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section(
                "answer",
                "Answer",
                (_answer(orders, material, sinks), *_tables(orders, material, sinks)),
            ),
            Section(
                "definitions",
                "Definitions",
                (
                    Points((("A sink.", " ".join(DEFINITION)),)),
                    *(definition(material, name) for name in (CONCENTRATION, MASS, DRAIN)),
                ),
            ),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("order_of_mechanisms", __doc__, report, arguments)


def _by_seed(material: Material, name: str) -> Numbers:
    """Return the mean of a statistic in every training, by model."""
    found = mean_of(material.measurements.values(name), (axes.MODEL, axes.SEED))
    models = found[axes.MODEL].values
    return {str(one): found.sel({axes.MODEL: one}).values.tolist() for one in models}


def _sinks(archive: Archive, material: Material) -> Numbers:
    """Return the share of heads with a sink in every training."""
    measured, untrained = measured_on(archive, material.text)
    found: dict[str, list[float]] = {model: [] for model in material.models}
    for each in sink_accounts(measured, untrained=untrained):
        found[each.model].append(each.share)
    return found


def _held(numbers: Sequence[float]) -> bool:
    return bool(np.isfinite(numbers).any())


def _uniform(material: Material, name: str) -> dict[str, float]:
    """Return what uniform attention over the keys that a model sees reads, by model."""
    parts = {
        model: replace(material, measurements=material.measurements.of(model))
        for model in material.models
    }
    found = {model: part.reference(name) for model, part in parts.items()}
    return {model: level for model, level in found.items() if level is not None}


def _above_uniform(mass: Numbers, uniform: Mapping[str, float]) -> Numbers:
    return {
        model: [one / uniform.get(model, np.nan) for one in each] for model, each in mass.items()
    }


def _ordered(
    numbers: Numbers, sign: Callable[[float], float], then: Numbers | None = None
) -> list[str]:
    """Return the models that have a number, in order; models that read alike go by the other."""

    def key(model: str) -> tuple[float, float]:
        more = 0.0 if then is None else -float(over_seeds(then[model]).mean[0])
        return float(sign(float(over_seeds(numbers[model]).mean[0]))), more

    return sorted((model for model in numbers if _held(numbers[model])), key=key)


def _answer(orders: Mapping[str, Sequence[str]], material: Material, sinks: Numbers) -> Points:
    ends = {
        "concentration": ("Most concentrated", "Least concentrated"),
        "drain": ("Smallest value at the first key", "Largest value at the first key"),
    }
    said: list[tuple[str, str]] = []
    for name, (first, last) in ends.items():
        order = list(orders[name])
        said.append((f"{first}:", f"{listed(order[:NAMED])}."))
        said.append((f"{last}:", f"{listed(order[::-1][:NAMED])}."))
    having = [model for model in orders["sinks"] if over_seeds(sinks[model]).mean[0] > 0]
    lacking = [model for model in orders["sinks"] if model not in having]
    if having:
        said.append(("Most heads with a sink:", f"{listed(having[:NAMED])}."))
        said.append(
            ("Without a sink:", f"{listed(lacking)}.")
            if lacking
            else ("Fewest heads with a sink:", f"{listed(having[::-1][:NAMED])}.")
        )
    else:
        said.append(("Heads with a sink:", "none in any model."))
    held = {model for order in orders.values() for model in order}
    without = [model for model in material.models if model not in held]
    if without:
        said.append(("Without attention:", f"{listed(without)}."))
    return Points(tuple(said))


def _tables(
    orders: Mapping[str, Sequence[str]], material: Material, sinks: Numbers
) -> tuple[DataTable, ...]:
    share, above = (0.0, 1.0), (0.0, float("inf"))
    mass = {
        model: seeds_in_words(each, within=share)
        for model, each in _by_seed(material, MASS).items()
    }
    heads = {model: seeds_in_words(sinks[model], within=share) for model in sinks}
    return (
        _table(material, "concentration", orders, CONCENTRATION, above, {}),
        _table(material, "sinks", orders, MASS, share, {"heads with a sink": heads}),
        _table(material, "drain", orders, DRAIN, above, {"first-key mass": mass}),
    )


def _table(
    material: Material,
    order: str,
    orders: Mapping[str, Sequence[str]],
    name: str,
    within: tuple[float, float],
    more: Mapping[str, Mapping[str, str]],
) -> DataTable:
    numbers, means = _by_seed(material, name), material.means(name)
    uniform = _uniform(material, name)
    minus = seeds_minus(numbers, material.baseline)
    title = str(material.variable(name).attrs["long_name"])
    rows: list[dict[str, Cell]] = [
        {
            "rank": rank,
            "model": model,
            **{column: cells[model] for column, cells in more.items()},
            f"{title.lower()}, retrained": seeds_in_words(numbers[model], within=within),
            "on new text": shown(*means[model]),
            "uniform attention": shown(uniform[model]) if model in uniform else None,
            f"minus {material.baseline}": minus.get(model),
        }
        for rank, model in enumerate(orders[order], start=1)
    ]
    caption = (
        f"{HOW} On new text: these checkpoints, 95 % intervals over documents. Differences have p "
        f"adjusted over models (Holm)."
    )
    return DataTable.of(f"order-of-{order}", f"In order of {order}", rows, caption)


if __name__ == "__main__":
    sys.exit(main())
