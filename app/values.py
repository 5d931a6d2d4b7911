"""What values do: where they come from, how small the first key's is, and how dynamic they are."""

from collections.abc import Callable
from dataclasses import replace

import plotly.graph_objects as go
import xarray as xr

from dva_lens import views

from .menu import Measure, Menu
from .queries import Library, NothingToShowError
from .selection import Selection

SHARE, DYNAMISM = "value_source_share", "dynamism"
DRAINS = ("value_drain", "written_value_drain")


def sources(library: Library, chosen: Selection) -> go.Figure:
    """Draw the share of every source in the values of the chosen run."""
    held = library.as_kept(chosen.run, chosen.probe)
    _check(held, chosen.run, SHARE)
    return views.value_source_flow({chosen.run: held})


def drains(library: Library, chosen: Selection) -> go.Figure:
    """Draw how small the first key's value is, by depth, one line per model."""
    return _by_model(library, chosen, views.drain_plot, *DRAINS)


def dynamism(library: Library, chosen: Selection) -> go.Figure:
    """Draw how much values differ between queries, by depth, one line per model."""
    return _by_model(library, chosen, views.dynamism_profile, DYNAMISM)


def measures(menu: Menu) -> list[Measure]:
    """Return what the figures are about, a variable with several sources once."""
    found = {each.variable: each for each in reversed(menu.measures)}
    return [_whole(found[name]) for name in (SHARE, *DRAINS, DYNAMISM) if name in found]


def _whole(measure: Measure) -> Measure:
    title = measure.long_name
    for place in measure.extra.values():
        title = title.removesuffix(f" ({place})")
    return replace(measure, long_name=title, extra={})


def _by_model(
    library: Library, chosen: Selection, draw: Callable[..., go.Figure], *names: str
) -> go.Figure:
    found: dict[str, list[xr.Dataset]] = {}
    refusals = []
    for model, runs in library.models(chosen.probe).items():
        for run in runs:
            try:
                _check(run, model, *names)
            except NothingToShowError as refusal:
                refusals.append(refusal)
            else:
                found.setdefault(model, []).append(run)
    if not found:
        raise refusals[0]
    return draw(found)


def _check(held: xr.Dataset, label: str, *names: str) -> None:
    """Refuse a run that was not measured for this, or whose numbers are all missing."""
    for name in names:
        if name not in held:
            raise NothingToShowError(f"{label} does not hold {name}.")
        if not held[name].notnull().any():
            reason = held[name].attrs.get("why_not", "it has no value anywhere")
            raise NothingToShowError(f"{label} holds no {name}: {reason}.")
