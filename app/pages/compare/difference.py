"""Models held against a baseline, on the same texts: by depth, and with what may be claimed."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes
from dva_lens.statistics.inference.compare import Comparison, adjust, compare, layer_profile
from dva_lens.statistics.inference.contrasts import same_documents, text_contrast
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.views import lines, theme, words
from dva_lens.views.arms import Arm
from dva_lens.views.figure import compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import Reading

from ...catalogue import Measure
from ...library import Library, NothingToShowError
from ...state import EVERY_SPAN, Selection

OVER_DEPTH = "middle half"


def difference_by_depth(library: Library, chosen: Selection) -> go.Figure:
    """Draw every model minus the baseline in the chosen statistic, layer by layer."""
    measure = library.catalogue.measure(chosen.statistic)
    if measure.at == "model":
        raise NothingToShowError(f"{measure.long_name} is one number per text, not per layer.")
    found, documents = profiles(library, chosen.text, chosen.span, measure)
    if chosen.baseline not in found:
        raise NothingToShowError(f"{chosen.baseline} does not hold {measure.long_name.lower()}.")
    theirs = found[chosen.baseline]
    place = theme.places(found)
    drawn = []
    for model, ours in found.items():
        if model == chosen.baseline or ours.shape[2] != theirs.shape[2]:
            continue
        apart = text_contrast(ours, theirs, documents)
        colour, symbol = theme.PALETTE[place[model]], theme.SYMBOLS[place[model]]
        arm = Arm(model, (xr.Dataset(),), colour, symbol)
        drawn.append(Line(arm, np.arange(ours.shape[2]), _read(apart, documents)))
    if not drawn:
        raise NothingToShowError(
            f"There is no model as deep as {chosen.baseline} to hold against it; the table below "
            f"compares models of any depth."
        )
    first = drawn[0]
    unit = "" if measure.units in ("", "1") else f" [{measure.units}]"
    zero = lines.dotted(
        first.x, np.zeros(len(first.x)), name=f"no difference from {theme.escape(chosen.baseline)}"
    )
    return compose(
        [zero, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{measure.long_name}: difference from {chosen.baseline}, by depth",
        caption=(
            f"Each model minus {chosen.baseline}, paired text by text, mean over heads and seeds. "
            + words.estimand([line.arm for line in drawn], [line.reading for line in drawn])
            + " It says nothing of other trainings."
        ),
        rows=lines.rows(drawn, "layer"),
        layout={
            "xaxis": theme.axis("Layer", dtick=max(1, len(first.x) // 12)),
            "yaxis": theme.axis(theme.escape(f"Difference{unit}")),
            "hovermode": "x unified",
        },
    )


def comparisons(
    library: Library, chosen: Selection
) -> tuple[tuple[Measure, tuple[Comparison, ...]], ...]:
    """Return every measure compared with the baseline; p values are adjusted over all of them."""
    text, span, baseline = chosen.text, chosen.span, chosen.baseline
    held: list[tuple[Measure, Comparison]] = []
    for measure in library.catalogue.layer_measures:
        found, documents = profiles(library, text, span, measure)
        if baseline in found and len(found) > 1:
            made = compare(
                measure.name, found, documents, baseline=baseline, contrasts=(OVER_DEPTH,)
            )
            held += [(measure, one) for one in made if np.isfinite(float(one.text.mean))]
    if not held:
        raise NothingToShowError(f"There is nothing to hold against {baseline} on “{text}”.")
    adjusted = adjust([one for _, one in held])
    grouped: dict[str, tuple[Measure, list[Comparison]]] = {}
    for (measure, _), one in zip(held, adjusted, strict=True):
        grouped.setdefault(measure.name, (measure, []))[1].append(one)
    return tuple((measure, tuple(ones)) for measure, ones in grouped.values())


def profiles(
    library: Library, text: str, span: int, measure: Measure
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a measure over (seed, sequence, layer) for every model, and the documents read."""
    found: dict[str, np.ndarray] = {}
    documents: list[str] = []
    for model, held in library.models(text, lambda run: measure.name in run).items():
        here = [str(name) for name in held[0][axes.DOCUMENT].values]
        documents = documents or here
        same_documents(here, documents)
        found[model] = np.stack([_by_layer(run, measure, span) for run in held])
    return found, documents


def _by_layer(run: xr.Dataset, measure: Measure, span: int) -> np.ndarray:
    values = run[measure.name]
    if axes.SPAN not in values.dims:
        return layer_profile(values.values.astype(float))
    kept = values[axes.SPAN].values if span == EVERY_SPAN else [span]
    return layer_profile(
        values.sel({axes.SPAN: kept}).values.astype(float),
        run["rows"].sel({axes.SPAN: kept}).values,
    )


def _read(apart: Estimate, documents: list[str]) -> Reading:
    count = len(set(documents))
    parts: dict[str, Any] = {"value": apart.mean, "low": apart.low, "high": apart.high}
    return Reading(**parts, each=apart.mean[None], sequences=len(documents), documents=count)
