"""Texts of the archive to start from: a click puts one into the box, to be changed and run."""

from typing import Any

import xarray as xr

from dva_lens import axes
from dva_lens.results.display import displayed_tokens
from dva_lens.views.characters import LINE_BREAK, PIECE, visible

from ...components.attributes import attributes
from ...components.elements import html
from ...library import Library, NothingToShowError
from ...live.texts import LONGEST, text_of
from ...state import Selection

_EXCERPT = 110


def remix(library: Library, chosen: Selection) -> Any:
    """Return the shown sequences of the chosen run and text, each with a button.

    Raises
    ------
    NothingToShowError
        There is no model to run or no archive yet, or the chosen run was not measured on the text.
    """
    if library.catalogue.why_no_live:
        raise NothingToShowError("There is no model to run a text on.")
    if not library.catalogue.runs:
        raise NothingToShowError("There is no archive to take a text from yet.")
    if chosen.text not in library.catalogue.run(chosen.run).texts:
        raise NothingToShowError(f"{chosen.run} was not measured on the text “{chosen.text}”.")
    held = library.display(chosen.run, chosen.text)
    texts = [_text(held, at) for at in range(held.sizes[axes.SHOWN])]
    caption = f"The sequences of “{chosen.text}” that {chosen.run} keeps for display."
    if any(PIECE in text for text in texts):
        caption += (
            " Tokens that are only a piece of a character cannot be put back into it; they read "
            f"{PIECE}, which is to be mended before a run."
        )
    return html.Div(
        [
            html.P(caption, className="caption"),
            html.Ol(
                [
                    _line(at, text[:LONGEST], is_chosen=at == chosen.sequence)
                    for at, text in enumerate(texts)
                ],
                start="0",
            ),
        ],
        className="live-remix",
    )


def _text(held: xr.Dataset, at: int) -> str:
    """Return a sequence as it is put into the box."""
    return text_of(displayed_tokens(held, at)).lstrip("\n")


def _line(at: int, text: str, *, is_chosen: bool) -> html.Li:
    short = visible(" ".join(text.split())[:_EXCERPT]).replace(LINE_BREAK, " ")
    return html.Li(
        [
            html.Button(
                "Start from it",
                type="button",
                className="action",
                **attributes(
                    data_remix=text,
                    data_sequence=str(at),
                    aria_label=f"Start from it: sequence {at}",
                ),
            ),
            html.Span(f"{short}…" if len(text) > _EXCERPT else short, className="excerpt"),
        ],
        className="chosen" if is_chosen else "",
    )
