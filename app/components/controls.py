"""Menus: each writes one field of the selection, under which it is known in addresses."""

from collections.abc import Callable
from typing import Any

import dash_mantine_components as dmc

from dva_lens import axes

from ..catalogue import Catalogue, Offer
from ..state import CELLS, CHANGES, EVERY_SPAN, LEASTS, MODES, ORDERS, PLACES, Selection

Options = list[dict[str, Any]]


def control(
    field: str,
    catalogue: Catalogue,
    chosen: Selection,
    *,
    about: Offer = "layers",
    meanings: Callable[[str], str] | None = None,
) -> dmc.Select:
    """Return the menu of a field, showing what is chosen.

    `meanings` says what makes a model differ: menus of models stand under these words.
    """
    label, options = CONTROLS[field]
    listed = options(catalogue, about)
    data: Any = listed
    if field in _OF_MODELS and meanings is not None:
        data = _grouped(listed, catalogue, meanings)
    value = getattr(chosen, field)
    return dmc.Select(
        id={"control": field},
        label=label,
        data=data,
        value="all" if field == "span" and value == EVERY_SPAN else str(value),
        allowDeselect=False,
        searchable=len(listed) > _MANY,
        nothingFoundMessage="No match",
        withScrollArea=False,
        attributes={"options": {"tabIndex": 0}},
        className=f"control control-{field}",
        comboboxProps={"shadow": "md", "withinPortal": False},
    )


_MANY = 6
_OF_MODELS = ("run", "baseline")


def _grouped(
    listed: Options, catalogue: Catalogue, meanings: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Put what is listed under the words of its model."""
    models: dict[str, str] = {run.name: run.model for run in catalogue.runs}
    groups: dict[str, Options] = {}
    for option in listed:
        value = str(option["value"])
        model = str(models.get(value) or value)
        groups.setdefault(meanings(model) or model, []).append(option)
    return [{"group": words, "items": items} for words, items in groups.items()]


def _runs(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001  one signature for all
    return [
        {"value": run.name, "label": run.name.replace(f"-{run.seed}", f" · seed {run.seed}")}
        if run.name == f"{run.model}-{run.seed}"
        else {"value": run.name, "label": run.name}
        for run in catalogue.runs
    ]


def _texts(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": text, "label": text} for text in catalogue.texts]


def _measures(catalogue: Catalogue, about: Offer) -> Options:
    return [
        {"value": measure.name, "label": measure.long_name} for measure in catalogue.offered(about)
    ]


def _spans(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    single = [{"value": str(span), "label": _keys(span)} for span in reversed(catalogue.spans)]
    return [{"value": "all", "label": "any number"}, *single]


def _keys(span: int) -> str:
    return f"{axes.span_label(span).replace('-', '–')} key{'s' if span else ''}"


def _orders(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": order, "label": f"{order.capitalize()} first"} for order in ORDERS]


def _models(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    names = dict.fromkeys(run.model for run in catalogue.runs)
    return [{"value": name, "label": name} for name in names]


def _layers(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    most = max(run.layers for run in catalogue.runs)
    return [{"value": str(layer), "label": str(layer)} for layer in range(most)]


def _heads(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    most = max(run.heads for run in catalogue.runs)
    return [{"value": str(head), "label": str(head)} for head in range(most)]


def _modes(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    labels = ("raw weights", "sinks removed", "value weighted", "excess over uniform")
    return [{"value": mode, "label": label} for mode, label in zip(MODES, labels, strict=True)]


def _by(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": place, "label": f"each {place}"} for place in PLACES]


def _sequences(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": str(at), "label": f"text {at}"} for at in range(8)]


def _runnable(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": name, "label": name} for name in catalogue.models]


def _changes(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": name, "label": name.replace("-", " ")} for name in CHANGES]


def _cells(catalogue: Catalogue, about: Offer) -> Options:
    """Offer what cells may say, where there is a model to work a pattern out with."""
    del about
    names = CELLS if catalogue.models else ()
    return [{"value": name, "label": f"{name} weight"} for name in names]


def _leasts(catalogue: Catalogue, about: Offer) -> Options:  # noqa: ARG001
    return [{"value": least, "label": f"{float(least):.0%}"} for least in LEASTS]


CONTROLS: dict[str, tuple[str, Callable[[Catalogue, Offer], Options]]] = {
    "run": ("Model", _runs),
    "text": ("Text", _texts),
    "statistic": ("Statistic", _measures),
    "other": ("Second statistic", _measures),
    "span": ("Queries that see", _spans),
    "order": ("Order", _orders),
    "baseline": ("Baseline", _models),
    "layer": ("Layer", _layers),
    "head": ("Head", _heads),
    "mode": ("Shown as", _modes),
    "by": ("By", _by),
    "sequence": ("Sequence", _sequences),
    "model": ("Model to run", _runnable),
    "change": ("What to change", _changes),
    "cells": ("Cells say", _cells),
    "least": ("Lines carry at least", _leasts),
}
