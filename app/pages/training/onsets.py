"""When sinks appear: of every model the first head to have one, between which steps."""

from typing import Any

import numpy as np

from dva_lens.results.onsets import onset_over_seeds, sink_onsets
from dva_lens.results.sinks import MASS
from dva_lens.views.figure import Row
from dva_lens.views.words import number as counted
from dva_lens.views.words import plain

from ...components.attributes import attributes
from ...components.elements import html
from ...components.links import choice_link, numbers_link
from ...library import Library, NothingToShowError
from ...state import Selection


def onsets(library: Library, chosen: Selection) -> list[dict[str, Any]]:
    """Return the onsets of all runs that were measured during training on the chosen text.

    Raises
    ------
    NothingToShowError
        No run was, or none holds the weight on the first key.
    """
    held = library.history(chosen.text)
    if MASS not in held.statistics:
        raise NothingToShowError("What heads give the first key was not measured in training.")
    table: Any = sink_onsets(held)
    return table.to_dict("records")


def onset_rows(library: Library, chosen: Selection) -> list[Row]:
    """Return one row per head that ever has a sink."""
    table = library.remembered(onsets)(chosen)
    return [{k: plain(v) for k, v in row.items()} for row in table]


def onset_table(library: Library, chosen: Selection) -> html.Div:
    """Return one row per model: its first sink, how many heads follow, and the mean over seeds."""
    table = library.remembered(onsets)(chosen)
    parts = library.history(chosen.text).parts
    models = {model: sum(p.model == model for p in parts) for model in (p.model for p in parts)}
    first = library.catalogue.first_runs
    names = {(run.model, run.seed): run.name for run in library.catalogue.runs}
    own = {model: [row for row in table if row["model"] == model] for model in models}
    rows = [
        _row(model, seeds, own[model], {"run": first[model]}, names)
        for model, seeds in models.items()
    ]
    heads = ("Model", "First sink", "Appeared", "Heads that ever have one", "Mean over seeds")
    note = (
        "The first measured step at which a head has a sink at the first key, by the definition "
        "that About gives; it appeared after the step before. Other keys are judged at the end. "
    )
    return html.Div(
        [
            html.P([note, numbers_link("Download as CSV", "onsets", label="onsets")],
                   className="caption"),
            html.Div(
                html.Table(
                    [
                        html.Thead(html.Tr([html.Th(name, scope="col") for name in heads])),
                        html.Tbody(rows),
                    ],
                    className="numbers onset-table",
                ),
                className="scroll wide",
                tabIndex="0",
                role="region",
                **attributes(aria_label="When sinks appear, as a table"),
            ),
        ]
    )  # fmt: skip


def _row(
    model: str, seeds: int, own: list[dict[str, Any]], place: dict[str, Any], names: dict[Any, str]
) -> html.Tr:
    title = html.Th(model, scope="row")
    if not own:
        return html.Tr([title, html.Td("none at any step", colSpan=4, className="muted")])
    row = own[0]
    layer, head, step = row["layer"], row["head"], row["step"]
    run = str(names.get((model, row["seed"])) or place["run"])
    link = choice_link(f"L{layer}H{head}", run=run, layer=layer, head=head, step=step)
    before = row["before"]
    when = f"at step {step:,}"
    if np.isfinite(before):
        when = f"between steps {before:,.0f} and {step:,}"
    return html.Tr(
        [
            title,
            html.Td([link, f" · seed {row['seed']}" if seeds > 1 else ""]),
            html.Td(when),
            html.Td(f"{len(own):,}"),
            html.Td(_over_seeds(own, seeds)),
        ]
    )


def _over_seeds(own: list[dict[str, Any]], seeds: int) -> str:
    """Return the mean of the first onset of every seed, with its interval where seeds allow it."""
    if seeds == 1:
        return "one training"
    steps: dict[int, float] = {}
    for row in own:  # the earliest first
        steps.setdefault(row["seed"], float(row["step"]))
    first = np.array(list(steps.values()))
    if len(first) < seeds:
        return f"in {len(first)} of {counted(seeds, 'training')} only"
    mean, low, high = onset_over_seeds(first)
    ends = f" [{low:,.0f}, {high:,.0f}]" if np.isfinite(low) else ", too few seeds for an interval"
    return f"step {mean:,.0f}{ends}"
