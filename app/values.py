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
    if lack := _lack(held, SHARE):
        raise NothingToShowError(f"{chosen.run} {lack}")
    return views.value_source_flow({chosen.run: held})


def drains(library: Library, chosen: Selection) -> go.Figure:
    """Draw how small the first key's value is, by depth, one line per model."""
    return _by_model(library, chosen, views.drain_plot, *DRAINS)


def dynamism(library: Library, chosen: Selection) -> go.Figure:
    """Draw how much values differ between queries, by depth, one line per model."""
    return _by_model(library, chosen, views.dynamism_profile, DYNAMISM)


def measures(menu: Menu) -> list[Measure]:
    """Return what the figures are about, a variable with several sources once."""
    found = {each.variable: each for each in menu.measures}
    return [
        replace(found[name], long_name=found[name].variable_name, extra={})
        for name in (SHARE, *DRAINS, DYNAMISM)
        if name in found
    ]


def _by_model(
    library: Library, chosen: Selection, draw: Callable[..., go.Figure], *names: str
) -> go.Figure:
    found = library.models(chosen.probe, lambda run: not _lack(run, *names))
    if not found:
        model, runs = next(iter(library.models(chosen.probe).items()))
        raise NothingToShowError(f"{model} {_lack(runs[0], *names)}")
    return draw(found)


def _lack(held: xr.Dataset, *names: str) -> str:
    """Say what a run was not measured for, or has no number of; nothing where all is there."""
    for name in names:
        if name not in held:
            return f"does not hold {name}."
        if not held[name].notnull().any():
            reason = held[name].attrs.get("why_not", "it has no value anywhere")
            return f"holds no {name}: {reason}."
    return ""
