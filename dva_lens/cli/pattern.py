"""`dva-lens pattern`: where one head looks, in tiles of any part of its pattern."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    import xarray as xr

LISTED = 5
Span = typer.Option(metavar="START:STOP", help="Positions, such as 0:512.", show_default="all")


def pattern(  # noqa: PLR0913 - one argument per option
    model: ModelArgument,
    *,
    layer: Annotated[int, typer.Option(min=0, help="Layer of the head.")],
    head: Annotated[int, typer.Option(min=0, help="Head to look at.")] = 0,
    queries: Annotated[str, Span] = ":",
    keys: Annotated[str, Span] = ":",
    resolution: Annotated[
        int, typer.Option(min=1, max=512, help="Tiles along each side, at most.")
    ] = 128,
    sequence: SequenceOption = 0,
    text: TextFileOption = None,
    whole: WholeOption = False,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    revision: RevisionOption = None,
    keep: KeepOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all tiles and tokens as JSON to this file.")
    ] = None,
) -> None:
    """Say which tiles of the pattern of a head hold most, coarse or down to single pairs.

    Example: dva-lens pattern gpt2 --layer 5 --head 1 --queries 0:512 --keys 0:512 --text notes.txt

    Memory does not grow with the square of the text; what a tile says is documented in
    dva_lens.pattern_tiles.
    """
    from dva_lens.data.corpus import open_corpus
    from dva_lens.measuring.closeup import tiles_of
    from dva_lens.writing import write_text

    rows, columns = span_of(queries, "--queries"), span_of(keys, "--keys")
    corpus = open_corpus(text, whole=whole)
    given = {"device": device, "dtype": dtype, "revision": revision}
    place = {"layer": layer, "head": head, "sequence": sequence}
    heads = head_at_hand(model, corpus, keep=keep, **place, **given)
    size = (resolution, resolution)
    found = tiles_of(heads, queries=rows, keys=columns, resolution=size, tell=_tell)
    for line in said(found):
        typer.echo(line)
    if out is not None:
        whole_found = {**document(found), "sequence": sequence}
        write_text(out, json.dumps(whole_found, ensure_ascii=False) + "\n")
        typer.echo(f"Result: {out}")


def span_of(said: str, option: str) -> slice:
    """Return the positions that an option names as START:STOP, either of which may be left out.

    Raises
    ------
    BadParameter
        It says something else.
    """
    parts = said.split(":")
    if len(parts) != 2 or not all(
        not part or (part.isascii() and part.isdecimal()) for part in parts
    ):
        raise typer.BadParameter(f"{option} takes START:STOP, such as 0:512, got {said!r}")
    start, stop = (int(part) if part else None for part in parts)
    return slice(start, stop)


def document(found: "xr.Dataset") -> dict[str, Any]:
    """Return tiles of one head as plain values; a tile without a visible pair holds None."""
    one = found.isel(head=0)
    return {
        "model": str(found.attrs["model"]),
        "layer": int(found.attrs["layer"]),
        "head": int(found["head"].values[0]),
        "queries": _edges(found, "query"),
        "keys": _edges(found, "key"),
        **{name: _rows(one[name].values) for name in ("mean", "highest")},
        "seen": one["seen"].values.tolist(),
        "tokens": found["token"].values.tolist(),
    }


def said(found: "xr.Dataset") -> Iterator[str]:
    """Return what the tiles are and which hold most, as lines of text."""
    one = document(found)
    rows, columns = one["queries"], one["keys"]
    yield (
        f"{one['model']}, layer {one['layer']}, head {one['head']}: queries {_span(rows, 0, -1)}, "
        f"keys {_span(columns, 0, -1)} in {len(rows) - 1} x {len(columns) - 1} tiles."
    )
    cells = [
        (mean, row, column)
        for row, means in enumerate(one["mean"])
        for column, mean in enumerate(means)
        if mean is not None
    ]
    for mean, row, column in sorted(cells, reverse=True)[:LISTED]:
        highest, pairs = one["highest"][row][column], one["seen"][row][column]
        yield (
            f"queries {_span(rows, row)} at keys {_span(columns, column)}: mean {mean:.4g}, "
            f"largest {highest:.4g}, {pairs} pair{'s' * (pairs > 1)}."
        )


def _edges(found: "xr.Dataset", name: str) -> list[int]:
    starts, stops = found[name].values, found[f"{name}_stop"].values
    return [*starts.tolist(), int(stops[-1])]


def _rows(values: Any) -> list[list[float | None]]:
    """Return numbers with the digits that their type holds, and None where there is none."""
    return [[None if each != each else float(str(each)) for each in row] for row in values]


def _span(edges: list[int], at: int, to: int | None = None) -> str:
    start, last = edges[at], edges[at + 1 if to is None else to] - 1
    return str(start) if start == last else f"{start}-{last}"


def _tell(done: int, total: int) -> None:
    typer.echo(f"pattern: {done} of {total} parts", err=True)
