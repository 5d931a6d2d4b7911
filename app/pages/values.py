"""Values: where the values of each layer come from, and what becomes of the first key's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes, views
from dva_lens.results.key_values import STATIC, has_key_values
from dva_lens.results.reader import Measurements
from dva_lens.views import words

from ..catalogue import Catalogue, Measure
from ..components.elements import html
from ..components.meaning import meaning
from ..library import Library, NothingToShowError
from ..page import Page, Panel, Words
from ..state import Selection

OWN = "own"
NOTHING = 1e-6
"""A share or a dynamism up to this is that of rounding."""
SHARE, DYNAMISM = "value_source_share", "dynamism"
DRAINS = ("value_drain", "written_value_drain")


def _sources(library: Library, chosen: Selection) -> go.Figure:
    """Draw the share of every source in the values of the chosen run."""
    held = library.kept(chosen.run, chosen.text)
    if lack := _lack(held.parts[0].data, SHARE):
        raise NothingToShowError(f"{chosen.run} {lack}")
    shares = held.parts[0].data[SHARE]
    others = shares.where(shares[axes.SOURCE] != OWN)
    if not bool((abs(others) > NOTHING).any()):
        raise NothingToShowError(
            f"Every layer of {chosen.run} reads its own values only, so no other source has a "
            f"share; choose a model with a value residual."
        )
    return views.value_source_flow(held)


def _drains(library: Library, chosen: Selection) -> go.Figure:
    """Draw how small the first key's value is, by depth, one line per model."""
    return _by_model(library, chosen, views.drain_plot, *DRAINS)


def _dynamism(library: Library, chosen: Selection) -> go.Figure:
    """Draw how much values differ between queries, by depth, of the models where they do."""
    moving = _dynamic(library, chosen)
    if not moving:
        raise NothingToShowError(
            f"The values of every model on “{chosen.text}” are static: they are the same for all "
            f"queries, and dynamism is 0."
        )
    return _by_model(library, chosen, views.dynamism_profile, DYNAMISM, only=moving)


def _dynamic(library: Library, chosen: Selection) -> tuple[str, ...]:
    """Return the models whose values differ between queries, or of which that is not known."""
    parts = library.on(chosen.text).parts
    held = [part for part in parts if DYNAMISM in part.data]
    if not held:
        return tuple(part.model for part in parts)
    unknown = [part for part in held if not part.data[DYNAMISM].notnull().any()]
    moving = [part for part in held if bool((part.data[DYNAMISM] > NOTHING).any())]
    return tuple(dict.fromkeys(part.model for part in (moving or unknown)))


def _one_key(library: Library, chosen: Selection) -> go.Figure:
    """Draw what queries receive from the strongest keys of the chosen head, one text."""
    if chosen.text not in library.catalogue.run(chosen.run).texts:
        raise NothingToShowError(f"{chosen.run} was not measured on the text “{chosen.text}”.")
    held = library.dataset(chosen.run, chosen.text)
    if not has_key_values(held):
        moving = _dynamic(library, chosen)
        there = f" Models of this archive where they differ: {words.listed(moving)}."
        raise NothingToShowError(f"{chosen.run}: {STATIC}{there if moving else ''}")
    count = held.sizes[axes.LISTED]
    if chosen.sequence >= count:
        raise NothingToShowError(f"Values were kept of the first {words.number(count, 'text')}.")
    return views.key_value_plot(
        held, layer=chosen.layer, head=chosen.head, sequence=chosen.sequence
    )


def _static_models(library: Library, chosen: Selection) -> html.P | None:
    """Say which models are not drawn because their values are static."""
    models = library.on(chosen.text).models
    moving = _dynamic(library, chosen)
    static = [model for model in models if model not in moving]
    if not static or not moving:
        return None
    return html.P(f"Static values, not drawn: {words.listed(static)}.", className="caption")


def _about(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as all words
    return [meaning(measure) for measure in measures(library.catalogue)]


def measures(catalogue: Catalogue) -> list[Measure]:
    """Return what the figures are about, a variable with several sources once."""
    found = {each.variable: each for each in catalogue.measures}
    return [
        replace(found[name], long_name=found[name].variable_name, extra={})
        for name in (SHARE, *DRAINS, DYNAMISM)
        if name in found
    ]


def _by_model(
    library: Library,
    chosen: Selection,
    draw: Callable[..., go.Figure],
    *names: str,
    only: Sequence[str] = (),
) -> go.Figure:
    measured = library.on(chosen.text)
    measured = measured.of(*only) if only else measured
    parts = tuple(part for part in measured.parts if not _lack(part.data, *names))
    if not parts:
        first = measured.parts[0]
        raise NothingToShowError(f"{first.model} {_lack(first.data, *names)}")
    return draw(Measurements(parts, chosen.text))


def _lack(held: xr.Dataset, *names: str) -> str:
    """Say what a run was not measured for, or has no number of; nothing where all is there."""
    for name in names:
        if name not in held:
            return f"does not hold {name}."
        if not held[name].notnull().any():
            reason = held[name].attrs.get("why_not", "it has no value anywhere")
            return f"holds no {name}: {reason}."
    return ""


PAGE = Page(
    path="/values",
    name="Values",
    question="What do values do with attention?",
    lead=(
        "A head writes its attention weights times its values. Where the value of a key is small, "
        "attention to it contributes little. Values can also come from another layer, and can "
        "differ from query to query."
    ),
    menus=("text",),
    parts=(
        Words("about-values", _about, class_name="card quiet"),
        Panel(
            "value-sources",
            "Where the values of every layer come from",
            _sources,
            menus=("run",),
        ),
        Panel("drains", "The first key's value beside the median", _drains),
        Panel("dynamism", "How much values differ between queries", _dynamism),
        Words("static-models", _static_models),
        Panel(
            "one-key",
            "What queries receive from one key",
            _one_key,
            menus=("layer", "head", "sequence"),
        ),
    ),
)
