"""`dva-lens pair`: what a query makes of one key, step by step."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dva_lens.cli.keeping import KeepOption, head_at_hand
from dva_lens.cli.opening import (
    DeviceOption,
    DtypeOption,
    ModelArgument,
    RevisionOption,
    SequenceOption,
    TextFileOption,
    WholeOption,
)

if TYPE_CHECKING:
    from dva_lens.measuring.pair import Pair


def pair(  # noqa: PLR0913 - one argument per option
    model: ModelArgument,
    *,
    layer: Annotated[int, typer.Option(min=0, help="Layer of the head.")],
    head: Annotated[int, typer.Option(min=0, help="Head to look at.")] = 0,
    query: Annotated[int, typer.Option(min=0, help="Position that looks.")],
    key: Annotated[int, typer.Option(min=0, help="Position that is looked at.")] = 0,
    sequence: SequenceOption = 0,
    text: TextFileOption = None,
    whole: WholeOption = False,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    revision: RevisionOption = None,
    keep: KeepOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all numbers as JSON instead of sentences.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write all numbers as JSON to this file.")
    ] = None,
) -> None:
    """Say what a query makes of one key, from q.k to what it adds to the output of its head.

    Example: dva-lens pair gpt2 --layer 5 --head 1 --query 12 --key 0 --text notes.txt

    What is in the JSON is documented in dva_lens.measuring.pair.Pair.
    """
    from dva_lens.data.corpus import open_corpus
    from dva_lens.measuring.pair import pair_of
    from dva_lens.writing import write_text

    corpus = open_corpus(text, whole=whole)
    given = {"device": device, "dtype": dtype, "revision": revision}
    place = {"layer": layer, "head": head, "sequence": sequence}
    pair = {"query": query, "key": key}
    heads = head_at_hand(model, corpus, keep=keep, values=True, positions=pair, **place, **given)
    found = pair_of(heads, **pair, sequence=sequence)
    document = json.dumps(found.to_dict(), indent=None if as_json else 2, ensure_ascii=False)
    for line in [document] if as_json else said(found):
        typer.echo(line)
    if out is not None:
        write_text(out, document + "\n")
        typer.echo(f"Result: {out}", err=as_json)


def said(found: "Pair") -> list[str]:
    """Return the steps of a pair as lines of text."""
    capped = "" if found.softcap is None else f", softly bounded by {found.softcap:g}"
    if found.similarity != "exponential":
        capped = ", as log(1 + s + s²/2)" if found.similarity == "taylor" else ", as log(s)"
    if found.scale == 0:
        capped = " as past blocks are weighed as wholes"
    written = (
        "What it writes is not known: the output projection was not found."
        if found.written_norm is None
        else f"It writes {found.written_norm:.4g} of the {found.output_norm:.4g} that the head "
        f"writes there; its signed share of it is {_number(found.share)}."
    )
    faded = "" if found.factor == 1 else f" (times {found.factor:.4g} for the distance)"
    kind = "the same for every query" if found.static else "of this query"
    return [
        f"{found.model}, layer {found.layer}, head {found.head}: token {found.query} "
        f"{found.query_token!r} looks at token {found.key} {found.key_token!r}.",
        f"q.k = {found.dot:.4g}, times {found.scale:.4g}{capped}, plus {found.bias:.4g} makes "
        f"the logit {found.logit:.4g}.",
        f"Weight {found.weight:.4g}{faded}, the {_place(found.rank)}largest of {found.visible} "
        f"visible keys (uniform: {1 / found.visible:.4g}); weights total {found.row_mass:.4g}.",
        f"Its value, {kind}, has size {found.value_norm:.4g}.",
        written,
    ]


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"


def _place(rank: int) -> str:
    """Return nothing for the first, then `2nd `, `3rd `, `4th ` and so on."""
    if rank == 1:
        return ""
    if 10 < rank % 100 < 14:
        return f"{rank}th "
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending} "
