"""`dva-lens diagnose`: one question to one model, answered by the script that asks it."""

from importlib import import_module
from typing import Annotated

import typer

from dva_lens.validation import meant

QUESTIONS = {
    "head-importance": "Which heads does a model need?",
    "sink-atlas": "Where are the sinks of a text, and are they drained and peaked too?",
    "dynamic-values": "Do values depend on the pair, and how many static heads are they worth?",
    "lambda-sweep": "What does a model lose as its value residual is lowered to zero?",
    "path-length": "By how long paths does a model predict?",
    "value-path": "Where do the values of a checkpoint come from, and do its mixes do anything?",
}
SETTINGS = {"ignore_unknown_options": True}
"""Options belong to the question, whose script reads them."""


def diagnose(
    question: Annotated[
        str, typer.Argument(metavar="NAME", help=f"One of {', '.join(QUESTIONS)}.")
    ],
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Checkpoint folder, GGUF file or hub name.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTIONS OF THE QUESTION]", help="Such as --text FILE."),
    ] = None,
) -> None:
    """Ask one model one question: print a table, or --csv.

    Options of a question, such as --text, stand after MODEL; `-- --help` there lists them.

    Example: dva-lens diagnose head-importance gpt2 --text notes.txt
    """
    if question not in QUESTIONS:
        raise KeyError(
            f"Unknown question {question!r}{meant(question, QUESTIONS)}; there are: "
            f"{', '.join(QUESTIONS)}."
        )
    script = import_module(f"dva_lens.analyses.{question.replace('-', '_')}")
    raise typer.Exit(script.main([model, *(options or ())]))
