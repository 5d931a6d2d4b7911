"""What a mask function lets queries see, read off all of its answers, a few rows at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dva_lens.kernels.blocks import counts
from dva_lens.kernels.visibility import MaskFunction, Visibility
from dva_lens.recording.layout import Layout

PAIRS_AT_ONCE = 1 << 20
ROWS_COMPARED, PAIRS_COMPARED = 64, 1 << 24
SeenByRow = Callable[[int, Tensor, Tensor], Tensor]
"""Says which keys of a row of the batch its queries see: a row, queries and keys by number."""


def visibility_of(mask: MaskFunction, lengths: Int[Tensor, "sequence"]) -> Visibility:
    """Return what a mask sees in closed form where it has one, and the mask within one elsewhere.

    Every pair of real positions is asked about. The tightest causality and window that hold all
    visible pairs are read off the farthest of them; where they hold just as many pairs, they are
    the mask, and elsewhere they bound it.
    """
    longest = int(lengths.max()) if len(lengths) else 0
    found, ahead, back, alike = 0, 0, 0, True
    for queries, seen in _answers(mask, lengths, longest):
        alike = alike and seen.shape[0] == 1
        found += int(seen.sum())
        farthest = _reach(queries, seen.any(dim=0))
        ahead, back = max(ahead, farthest[0]), max(back, farthest[1])
    reach = max(ahead, back)
    form = Visibility(causal=ahead == 0, window=None if reach >= longest - 1 else reach + 1)
    each = [longest] if alike else lengths.tolist()
    holds = sum(int(counts(form, n, batch=1, device=lengths.device)[0].sum()) for n in each)
    return form if found == holds else replace(form, mask=mask)


def _reach(queries: slice, seen: Bool[Tensor, "query key"]) -> tuple[int, int]:
    """Return how far ahead and back the farthest visible keys of some queries are."""
    place = torch.arange(queries.start, queries.stop, device=seen.device)
    some = seen.any(dim=1)
    if not some.any():
        return 0, 0
    first = seen.byte().argmax(dim=1)
    last = seen.shape[1] - 1 - seen.flip(1).byte().argmax(dim=1)
    return int((last - place)[some].max()), int((place - first)[some].max())


def separates(mask: MaskFunction, layout: Layout) -> bool:
    """Say whether a mask over the rows of a batch hides every sequence of a row from the others.

    `mask` is asked about rows and columns; what lies outside all sequences does not count.
    """
    rows, columns = layout.shape
    which = torch.zeros(rows, columns, dtype=torch.long, device=layout.rows.device)
    parts = (each.tolist() for each in (layout.rows, layout.starts, layout.lengths))
    for number, (row, start, length) in enumerate(zip(*parts, strict=True)):
        which[row, start : start + length] = number + 1
    lengths = torch.full((rows,), columns, device=which.device)
    for queries, seen in _answers(mask, lengths, columns):
        mine, theirs = which[:, queries, None], which[:, None, :]
        if (seen & (mine != theirs) & (mine > 0) & (theirs > 0)).any():
            return False
    return True


def _answers(
    mask: MaskFunction, lengths: Int[Tensor, "sequence"], longest: int
) -> Iterator[tuple[slice, Bool[Tensor, "#sequence query key"]]]:
    """Go through the rows of a mask; one stands for all sequences where all are answered alike.

    Pairs beyond the length of a sequence count as hidden where sequences differ.
    """
    place = torch.arange(longest, device=lengths.device)
    sequences = torch.arange(len(lengths), device=lengths.device)[:, None, None]
    rows = max(1, PAIRS_AT_ONCE // max(1, longest * len(lengths)))
    for start in range(0, longest, rows):
        queries = slice(start, min(start + rows, longest))
        seen = mask(sequences, place[queries, None], place)
        seen = seen.reshape((1,) * (3 - seen.ndim) + seen.shape)
        seen = seen.expand(-1, queries.stop - queries.start, longest)
        if seen.shape[0] > 1:
            real = place < lengths[:, None]
            seen = seen & real[:, queries, None] & real[:, None, :]
        yield queries, seen


def compare_rows(seen: SeenByRow, visibility: Visibility, layout: Layout) -> int:
    """Hold sampled queries of every sequence, over all keys of its row, against a mask.

    All queries are taken where a sequence has few; elsewhere some at even distances, the first
    and the last among them. Returned is how many were compared.

    Raises
    ------
    RuntimeError
        A query sees other keys than the mask says; the message names the first.
    """
    device = layout.rows.device
    columns = torch.arange(layout.shape[1], device=device)
    pairs = max(1, len(layout.rows)) * max(1, len(columns))
    most, compared = max(1, min(ROWS_COMPARED, PAIRS_COMPARED // pairs)), 0
    parts = (each.tolist() for each in (layout.rows, layout.starts, layout.lengths))
    for sequence, (row, start, length) in enumerate(zip(*parts, strict=True)):
        queries = _sampled(length, most, device)
        ours = torch.zeros(len(queries), len(columns), dtype=torch.bool, device=device)
        which = torch.tensor([sequence], device=device)
        ours[:, start : start + length] = visibility.visible(queries, columns[:length], which)[
            0, 0
        ]
        other = (ours != seen(row, start + queries, columns)).nonzero().tolist()
        if other:
            query, key = other[0]
            hides, takes = ("hides", "visible") if ours[query, key] else ("shows", "hidden")
            raise RuntimeError(
                f"The mask of the model {hides} key {key - start} of text {sequence} at position "
                f"{int(queries[query])}, where the recorder takes it to be {takes}, so the model "
                f"cannot be measured."
            )
        compared += len(queries)
    return compared


def _sampled(length: int, most: int, device: torch.device) -> Int[Tensor, "row"]:
    if length <= most:
        return torch.arange(length, device=device)
    return torch.linspace(0, length - 1, most, dtype=torch.float64, device=device).long().unique()
