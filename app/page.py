"""What a page is made of: figures, words and tables, each of which says what it needs.

A page is a value: `pages/NAME.py` lists its parts in the order in which they are shown, and
everything else (drawing, callbacks, downloads, navigation) is read from that list.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import plotly.graph_objects as go
from dash import Dash

from dva_lens.views.figure import Drawing, Row

from .catalogue import Catalogue, Offer
from .library import Library
from .state import Selection
from .workbench import Workbench

Click = Literal["", "cell", "point"]


@final
@dataclass(frozen=True)
class Panel:
    """One figure of a page.

    What `draw` reads of the selection is noted while it draws, and the figure is drawn anew when
    one of these fields changes. `mark`, if there is one, returns the shapes that show the chosen
    head, so that choosing another redraws nothing.

    `click` says what a click on the figure chooses: nothing; the layer and head of a `cell`, which
    are its y and x; or what a `point` carries as its `customdata`, a mapping of fields of the
    selection and, if the click leads to another page, `path`. With `keys`, arrow keys move the
    chosen head while the figure has focus. `menus` are menus of its own.
    """

    name: str
    label: str
    draw: Callable[[Library, Selection], go.Figure | Drawing]
    height: int = 380
    mark: Callable[[Library, Selection], list[dict[str, Any]]] | None = None
    click: Click = ""
    keys: bool = False
    hint: str = ""
    menus: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Words:
    """Words or a table of a page; what `fill` reads of the selection is noted as for a panel.

    `rows`, if there are any, are the numbers to download under `name`, and `label` says what
    they are.
    """

    name: str
    fill: Callable[[Library, Selection], Any]
    class_name: str = ""
    label: str = ""
    rows: Callable[[Library, Selection], Sequence[Row]] | None = None


@final
@dataclass(frozen=True)
class Card:
    """Words in a frame, under a title of their own unless it is only `spoken`."""

    title: str
    parts: tuple[Words, ...]
    menus: tuple[str, ...] = ()
    spoken: bool = False


@final
@dataclass(frozen=True)
class Columns:
    """Parts side by side where there is room; one column after the other where there is not."""

    columns: tuple[tuple["Part", ...], ...]


Part = Panel | Words | Card | Columns


@final
@dataclass(frozen=True)
class Page:
    """One page.

    `question` is what it answers, `lead` what a reader has to know first, and `menus` the fields
    of the selection that it lets a reader choose. `about` says which statistics it can show.
    `announce` is what is said aloud when the selection changes. `connect` gives the page
    callbacks of its own; `needs_runs` is false where it shows something before anything has been
    measured.
    """

    path: str
    name: str
    question: str
    lead: str | Callable[[Catalogue], str]
    menus: tuple[str, ...]
    parts: tuple[Part, ...]
    about: Offer = "layers"
    announce: Callable[[Library, Selection], str] | None = None
    connect: Callable[[Dash, Workbench], None] | None = None
    needs_runs: bool = True

    def fit(self, chosen: Selection, catalogue: Catalogue) -> Selection:
        """Return the selection with statistics that this page can show."""
        names = [measure.name for measure in catalogue.offered(self.about)]
        if not names:
            return chosen
        other = next((name for name in names if name != chosen.statistic), names[0])
        return chosen.but(
            statistic=chosen.statistic if chosen.statistic in names else names[0],
            other=chosen.other if chosen.other in names else other,
        )


def single_parts(parts: Sequence[Part]) -> Iterator[Panel | Words]:
    """Return the figures and words among parts, those inside cards and columns too."""
    for part in parts:
        if isinstance(part, Card):
            yield from part.parts
        elif isinstance(part, Columns):
            for column in part.columns:
                yield from single_parts(column)
        else:
            yield part
