"""The rows of one head of an attention, a few at a time, with the values that it mixes."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dva_lens.kernels.values import Static, Values
from dva_lens.recording.closeup import of_heads
from dva_lens.recording.recorder import AttentionCall
from dva_lens.recording.tiles import alone, rows_of

ROWS = 64
Weights = Float[Tensor, "row key"]


@final
@dataclass(frozen=True)
class HeadRows:
    """Some queries of one head in one sequence: their weights, and what they see.

    `values` are those of the whole attention, of so many `heads`.
    """

    sequence: int
    queries: Int[Tensor, "row"]
    weights: Weights
    seen: Bool[Tensor, "row key"]
    values: Values
    head: int
    heads: int

    def mixed(self, weights: Weights) -> Float[Tensor, "row width"]:
        """Return sum_j w_ij v_ij for other weights than their own."""
        if isinstance(self.values, Static):
            value = self.values.value[self.sequence]
            held = value[self.head * len(value) // self.heads, : weights.shape[1]]
            return weights @ held.to(weights.dtype)
        mine = alone(self.values, self.sequence)
        keys = torch.arange(weights.shape[1], device=weights.device)
        parts = []
        for some in keys.split(ROWS):
            each = mine.pairs(self.queries, some, self.heads)[0, self.head].to(weights.dtype)
            parts.append(torch.einsum("rk,rkw->rw", weights[:, some], each))
        return functools.reduce(torch.add, parts)


def head_rows(
    call: AttentionCall, head: int, lengths: Int[Tensor, "sequence"]
) -> Iterator[HeadRows]:
    """Go through all queries of one head, sequence by sequence.

    Raises
    ------
    ValueError
        There is no such head.
    """
    one, heads = of_heads(call, [head]), call.query.shape[1]
    for sequence, length in enumerate(lengths.tolist()):
        own = slice(sequence, sequence + 1)
        places = torch.arange(length, device=call.query.device)
        rule = alone(one.weights, sequence)
        for rows in places.split(ROWS):
            weights, seen = rows_of(one.query[own], one.key[own], rule, rows, places)
            yield HeadRows(sequence, rows, weights[0], seen, call.values, head, heads)
