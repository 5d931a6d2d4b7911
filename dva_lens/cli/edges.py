"""The options `--edges` and `--no-edges`, and one line about what they left in an archive."""

import re
from pathlib import Path

import typer

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(|[KMG]i?B|B)\s*", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}
_DECIMAL = {"": 0, "K": 3, "M": 6, "G": 9}


def edge_budget(wanted: str | None, *, none: bool) -> dict[str, int]:
    """Return the bytes that edges may take as an argument, and nothing where neither is given.

    Raises
    ------
    typer.BadParameter
        Both options are given, or the size is none.
    """
    if none and wanted is not None:
        raise typer.BadParameter("--edges and --no-edges exclude each other; pass one of them")
    if none:
        return {"edges": 0}
    return {} if wanted is None else {"edges": bytes_of(wanted)}


def bytes_of(size: str) -> int:
    """Return how many bytes a size is, such as 64MiB, 1.5 GB or 100000.

    Raises
    ------
    typer.BadParameter
        It is no size.
    """
    found = _SIZE.fullmatch(size)
    if found is None:
        raise typer.BadParameter(f"--edges takes a size such as 64MiB, 500KB or 0, got {size!r}")
    number, unit = float(found[1]), found[2].upper().removesuffix("B")
    if unit.endswith("I"):
        return int(number * (1 << _UNITS[unit[0]]))
    return int(number * 10 ** _DECIMAL[unit])


def say_edges(folder: Path, *labels: str) -> None:
    """Say of how many texts an archive, or runs of it, keep edges, and how large they are."""
    from dva_lens.kernels.guard import readable
    from dva_lens.results.archive import scan
    from dva_lens.results.edges import edge_bytes, edged_sequences
    from dva_lens.results.schema import ArchiveError

    archive, total, texts = scan(folder), 0, 0
    for run in archive.runs:
        if labels and run.label not in labels:
            continue
        try:
            held = archive.dataset(run)
        except ArchiveError:  # it is named among the findings
            continue
        total, texts = total + edge_bytes(held), max(texts, edged_sequences(held))
    if total:
        words = "1 text" if texts == 1 else f"{texts} texts"
        typer.echo(f"Edges:    of {words}, {readable(total)} before compression")
