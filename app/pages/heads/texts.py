"""The texts in which the chosen head does it most, and some from every part of the range.

The most alone would be picked cherries: texts are taken from equal parts of their order.
"""

from typing import Any

import numpy as np

from dva_lens import axes
from dva_lens.results.shares import documents_of
from dva_lens.views.characters import visible
from dva_lens.views.figure import Row

from ...components.elements import html
from ...components.links import choice_link, numbers_link
from ...components.numbers import ranked
from ...library import Library, NothingToShowError, spans_of
from ...state import SEQUENCES, Selection
from .figures import of_run

LISTED = 5
PARTS = 3


def head_texts(library: Library, chosen: Selection) -> list[tuple[int, str, float]]:
    """Return sequence, document and value of the chosen head in every text, the largest first."""
    measure, held = of_run(library, chosen)
    spans = spans_of(measure, chosen.span) or "all"
    values = held.values(measure.name, spans=spans).isel({axes.MODEL: 0, axes.SEED: 0})
    own = values.sel({axes.LAYER: chosen.layer, axes.HEAD: chosen.head})
    names = [str(name) for name in documents_of(own)]
    found = [(at, names[at], float(value)) for at, value in enumerate(own.values)]
    known = [one for one in found if np.isfinite(one[2])]
    return sorted(known, key=lambda one: -one[2])


def text_rows(library: Library, chosen: Selection) -> list[Row]:
    """Return every text with the number of the chosen head in it."""
    return [
        {"sequence": at, "document": name, "value": value}
        for at, name, value in head_texts(library, chosen)
    ]


def text_list(library: Library, chosen: Selection) -> html.Div:
    """Return the texts with the largest values, and those of lower parts of the order.

    Raises
    ------
    NothingToShowError
        The head has no number in any text.
    """
    found = head_texts(library, chosen)
    if not found:
        raise NothingToShowError("This head has no number in any text.")
    measure = library.catalogue.measure(chosen.statistic)
    if chosen.order == "lowest":
        found = found[::-1]
    written = dict(zip([at for at, *_ in found], ranked([one[2] for one in found]), strict=True))
    rows: list[Any] = []
    for part, (title, few) in enumerate(_parts(found)):
        if part:
            rows.append(html.Tr(html.Td(title, colSpan=3), className="gap"))
        rows += [_row(chosen, one, written[one[0]]) for one in few]
    head = html.Tr([html.Th("Text"), html.Th("Document"), html.Th(measure.long_name)])
    note = f"{len(found)} texts by {measure.long_name.lower()} of this head. "
    return html.Div(
        [
            html.P([note, numbers_link("All as CSV", "head-texts", label="texts of this head")],
                   className="caption"),
            html.Table([html.Thead(head), html.Tbody(rows)], className="numbers compact texts"),
        ]
    )  # fmt: skip


def _parts(
    found: list[tuple[int, str, float]],
) -> list[tuple[str, list[tuple[int, str, float]]]]:
    """Return the first texts, then two from the middle and two from the end of the order."""
    if len(found) <= LISTED + 2 * (PARTS - 1):
        return [("first", found)]
    middle = len(found) // 2
    return [
        ("first", found[:LISTED]),
        ("from the middle", found[max(LISTED, middle - 1) : middle + 1]),
        ("last", found[-2:]),
    ]


def _row(chosen: Selection, one: tuple[int, str, float], written: str) -> html.Tr:
    at, document, _ = one
    place: Any = f"text {at}"
    if at < SEQUENCES:
        head: dict[str, Any] = {"layer": chosen.layer, "head": chosen.head, "sequence": at}
        place = choice_link(place, path="/tokens", label=f"See text {at} token by token", **head)
    here = "chosen" if at == chosen.sequence else ""
    cells = [html.Td(place), html.Td(visible(document), className="muted document")]
    return html.Tr([*cells, html.Td(written, className="number")], className=here)
