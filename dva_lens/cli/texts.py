"""The option that names an evaluation text, also by its former name."""

from typing import Annotated

import typer

Text = Annotated[
    str | None,
    typer.Option("--text", metavar="NAME", help="Evaluation text.", show_default="the main text"),
]
FormerText = Annotated[str | None, typer.Option("--probe", hidden=True)]


def chosen_text(text: str | None, former: str | None) -> str | None:
    """Return the text that was named, and say the new name of a former option.

    Raises
    ------
    BadParameter
        If both name a text.
    """
    if former is None:
        return text
    if text is not None:
        raise typer.BadParameter("--probe is the former name of --text; pass --text alone")
    typer.echo("`--probe` is called `--text` now.", err=True)
    return former
