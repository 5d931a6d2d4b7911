"""Where are the sinks, are their values drained, and are there massive activations beside them?

A sink, a drained value and a peak of the residual stream are called three signs of one extreme
token. For every model of an archive: which share of the heads has a sink, on which key and token,
whether the value there is drained, how extreme the residual stream is, and whether the heads and
layers that have more of one sign have more of another.

    python -m dva_lens.analyses.sinks_and_drains runs/quick --out sinks.html
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from dva_lens import axes
from dva_lens.reports.charts import depth_chart
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.findings import measured_on
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, DataTable, Points, Report, Section
from dva_lens.reports.seeds import HOW, seeds_in_words
from dva_lens.reports.sentences import readable
from dva_lens.results.archive import Archive
from dva_lens.results.estimates import mean_of
from dva_lens.results.sink_accounts import SinkAccount, SinkPlace, sink_accounts, sink_places
from dva_lens.results.sinks import sinks
from dva_lens.statistics.sinks import DEFINITION, DRAIN_DEFINITION
from dva_lens.views.words import listed, number

from .archive_question import answered, need

QUESTION = (
    "Where are the sinks, are their values drained, and are there massive activations beside them?"
)
MASS = "first_key_mass"
DRAWN = (MASS, "written_value_drain", "massive_activation")
TRIAD = "triad_agreement"
PAIR = "triad_pair"
SHARE, RANKS, RATIO = (0.0, 1.0), (-1.0, 1.0), (1.0, float("inf"))
SIGNS = {
    "heads with a sink": ("share", SHARE),
    "largest weight on the first key": ("mass", SHARE),
    "sinks with drained value": ("drained", SHARE),
    "sink and drain": ("sink_and_drain", RANKS),
    "sink and peak": ("sink_and_peak", RANKS),
    "massive-activation ratio": ("peak", RATIO),
}
"""The columns of the table: what of an account, and what it can be."""


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive lacks the weight on the first key.
    """
    material = gather(archive)
    need(material, MASS)
    measured, untrained = measured_on(archive, material.text)
    accounts = sink_accounts(measured, untrained=untrained)
    places = sink_places(sinks(measured, untrained=untrained))
    tables = [_signs(accounts), _places(places, material.models)]
    if TRIAD in material.statistics:
        tables.append(_positions(material))
    drawn = [name for name in DRAWN if name in material.statistics]
    defined = (("A sink.", " ".join(DEFINITION)), ("A drained value.", DRAIN_DEFINITION))
    return Report(
        title="Sinks and drains",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (_answer(accounts, places), *tables)),
            Section("figures", "Layer by layer", tuple(depth_chart(material, n) for n in drawn)),
            Section(
                "definitions",
                "Definitions",
                (Points(defined), *(definition(material, name) for name in drawn)),
            ),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("sinks_and_drains", __doc__, report, arguments, figures=True)


def _answer(accounts: Sequence[SinkAccount], places: Sequence[SinkPlace]) -> Points:
    said = [
        (f"{model}:", " ".join(_sentences(own, [p for p in places if p.model == model])))
        for model, own in _by_model(accounts).items()
    ]
    return Points(tuple(said))


def _by_model(accounts: Sequence[SinkAccount]) -> dict[str, list[SinkAccount]]:
    models = dict.fromkeys(each.model for each in accounts)
    return {model: [each for each in accounts if each.model == model] for model in models}


def _sentences(own: Sequence[SinkAccount], places: Sequence[SinkPlace]) -> Iterator[str]:
    """Say where a model has sinks and what their values are like."""
    count, heads = sum(each.sinks for each in own), sum(each.heads for each in own)
    if not heads:
        yield "no layer attends."
        return
    over = f"{number(heads, 'head')} of {number(len(own), 'training')}"
    if not count:
        yield f"no sink in {over}."
        return
    verb = "has" if count == 1 else "have"
    yield f"{count} of {over} {verb} a sink, a share of {_mean(own, 'share', SHARE)}."
    stands = "It stands" if count == 1 else "They stand"
    yield f"{stands} on {listed([_where(place) for place in places[:3]])}."
    if any(np.isfinite(each.drained) for each in own):
        total = sum(place.sinks for place in places)
        drained = round(sum(place.drained * place.sinks for place in places))
        yield f"The value is drained at {drained} of {number(total, 'sink')}."


def _where(place: SinkPlace) -> str:
    """Say on which key so many heads have a sink."""
    named = place.token and place.token not in place.key
    token = f" {readable(place.token)}" if named else ""
    return f"the {place.key.removeprefix('the ')}{token} ({place.sinks})"


def _mean(own: Sequence[SinkAccount], name: str, within: tuple[float, float]) -> str:
    return seeds_in_words([getattr(each, name) for each in own], within=within)


def _signs(accounts: Sequence[SinkAccount]) -> DataTable:
    rows: list[dict[str, Cell]] = [
        {
            "model": model,
            "trainings": len(own),
            **{title: _mean(own, name, ends) for title, (name, ends) in SIGNS.items()},
            "in layer": _layers([each.peak_layer for each in own]),
        }
        for model, own in _by_model(accounts).items()
    ]
    caption = (
        f"{HOW} The ratio is that of the layer where it is largest; about 1000 is called massive. "
        "Sink and drain: Kendall's tau over the heads of a training between the weight on the "
        "first key and how small its value is. Sink and peak: that over layers between the mean "
        "weight on the first key and the massive-activation ratio. Above zero, one comes with the "
        "other."
    )
    return DataTable.of("three-signs", "Three signs of an extreme token", rows, caption)


def _layers(layers: Sequence[float]) -> str:
    """Say in which layers trainings have their peak."""
    held = sorted({int(layer) for layer in layers if np.isfinite(layer)})
    return "–" if not held else ", ".join(map(str, held))


def _places(places: Sequence[SinkPlace], models: Sequence[str]) -> DataTable:
    rows: list[dict[str, Cell]] = [
        {
            "model": place.model,
            "key": place.key,
            "token": readable(place.token) if place.token else None,
            "heads with a sink there": place.sinks,
            "in trainings": place.trainings,
            "mean weight": place.mass,
            "drained": place.drained,
        }
        for place in sorted(places, key=lambda place: models.index(place.model))
    ]
    caption = "Heads of all trainings. Drained: the share of these sinks whose value is drained."
    return DataTable.of("places-of-sinks", "Where sinks stand", rows, caption)


def _positions(material: Material) -> DataTable:
    """Return whether the three signs stand at the same positions, where that was measured."""
    along = (axes.MODEL, axes.SEED, PAIR)
    found = mean_of(material.measurements.values(TRIAD, entry="every"), along)
    rows: list[dict[str, Cell]] = [
        {
            "model": str(model),
            **{
                str(pair): seeds_in_words(
                    found.sel({axes.MODEL: model, PAIR: pair}).values, within=RANKS
                )
                for pair in found[PAIR].values
            },
        }
        for model in found[axes.MODEL].values
    ]
    caption = f"{HOW} Spearman's rank correlation over the positions of a text, mean over layers."
    return DataTable.of("triad", "The three signs position by position", rows, caption)


if __name__ == "__main__":
    sys.exit(main())
