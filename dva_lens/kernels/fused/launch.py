"""Starting the kernels on what an attention is given."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.fused.forward import PER_QUERY
from dva_lens.kernels.fused.forward import forward as forward_kernel
from dva_lens.kernels.fused.operands import NORMED, PAIRWISE, Operands
from dva_lens.kernels.fused.pairwise import pull_keys, pull_queries
from dva_lens.kernels.fused.received import received as received_kernel
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Rows = Float[Tensor, "batch head query"]
Output = Float[Tensor, "batch head query value_width"]
Received = Float[Tensor, "batch head key"]

CHUNK = 64
"""Channels that one product of blocks takes at a time, where values fill the registers."""


@final
@dataclass(frozen=True)
class Tiles:
    """How many queries and keys one program works on, and how the GPU runs it."""

    queries: int
    keys: int
    warps: int = 4
    stages: int = 2

    @property
    def of_pairs(self) -> dict[str, int]:
        """Return the names under which kernels know these numbers."""
        return {"BLOCK_M": self.queries, "BLOCK_N": self.keys}

    @property
    def turned(self) -> "Tiles":
        """Return the tiles of a program that owns keys, as this one owns queries."""
        return replace(self, queries=self.keys, keys=self.queries)

    @property
    def running(self) -> dict[str, int]:
        """Return how the GPU runs a program."""
        return {"num_warps": self.warps, "num_stages": self.stages}


def tiles_of(width: int, value_width: int, how: int, itemsize: int) -> Tiles:
    """Return tiles that fit in the registers and the shared memory of a GPU."""
    widest = max(padded(width), padded(value_width))
    if how >= PAIRWISE and widest <= 128:
        return Tiles(16, 16, warps=4, stages=1)
    if how >= PAIRWISE:
        return Tiles(8, 64, warps=4 if widest <= 512 else 8, stages=1)
    if itemsize == 2 and widest <= 128:
        return Tiles(128, 64, warps=8, stages=3 if how == NORMED else 2)
    if widest <= 64:
        return Tiles(64, 32, warps=8)
    return Tiles(32, 32, warps=8, stages=2 if widest <= 128 else 1)


def tiles_of_received(width: int, itemsize: int) -> Tiles:
    """Return tiles of the transposed pass, which owns keys and goes through queries."""
    if itemsize == 2 and padded(width) <= 128:
        return Tiles(64, 128, warps=4, stages=3)
    return tiles_of(width, width, NORMED, itemsize)


def padded(width: int) -> int:
    """Return the power of two that holds a width, at least what a product of tiles needs."""
    return max(16, 1 << (width - 1).bit_length())


def forward(
    query: Query,
    key: Key,
    operands: Operands,
    rule: Rule,
    *,
    measure: bool,
    dtype: torch.dtype = torch.float32,
) -> tuple[Output, dict[str, Rows]]:
    """Return the output in a dtype, not yet finished, and the numbers of each query."""
    query, key, mixed = (in_rows(each) for each in (query, key, operands.mixed))
    batch, heads, length, width = query.shape
    value_width = mixed.shape[-1]
    tiles = tiles_of(width, value_width, operands.how, query.element_size())
    names = PER_QUERY if measure else PER_QUERY[:2]
    output = query.new_empty(*query.shape[:3], value_width, dtype=dtype)
    rows = query.new_empty(len(names), batch, heads, length, dtype=torch.float32)
    empty = query.new_empty(1, dtype=torch.float32)
    left, right, left_sizes, sizes = (
        empty if each is None else each.float().contiguous()
        for each in (operands.left, operands.right, operands.left_sizes, operands.sizes)
    )
    sink = empty if rule.sink is None else rule.sink.float().contiguous()
    bias, bias_strides = bias_of(query, rule)
    programs = blocks(length, tiles.queries) * batch * heads
    board = empty if operands.how < PAIRWISE else board_of(query, programs, tiles)
    forward_kernel[(programs,)](
        query, key, mixed, left, right, left_sizes, sizes, sink, bias,
        segments_of(query, rule), board, output, rows,
        *query.stride()[:3], *key.stride()[:3], *mixed.stride()[:3], *bias_strides,
        length, heads, heads // key.shape[1], batch * heads * length, *numbers(rule),
        QK=width, DV=value_width, BLOCK_QK=padded(width), BLOCK_DV=padded(value_width),
        CHUNK=min(CHUNK, padded(width)), SINK=rule.sink is not None, VALUES=operands.how,
        MEASURE=measure, **constants(rule), **tiles.of_pairs, **tiles.running,
    )  # fmt: skip
    return output, dict(zip(names, rows.unbind(), strict=True))


def received(
    query: Query,
    key: Key,
    log_sum_exp: Rows,
    rule: Rule,
    *,
    visible: Int[Tensor, "batch query"],
) -> tuple[Received, Received]:
    """Return what keys receive from all queries, and from those that see many keys."""
    query, key = in_rows(query), in_rows(key)
    batch, heads, length, width = query.shape
    tiles = tiles_of_received(width, query.element_size())
    total, late = query.new_empty((2, batch, heads, length), dtype=torch.float32).unbind()
    bias, bias_strides = bias_of(query, rule)
    received_kernel[(blocks(length, tiles.keys) * batch * heads,)](
        query, key, bias, segments_of(query, rule), visible.contiguous(),
        log_sum_exp.contiguous(), total, late,
        *query.stride()[:3], *key.stride()[:3], *bias_strides,
        length, heads, heads // key.shape[1], *numbers(rule), MANY_KEYS,
        QK=width, BLOCK_QK=padded(width), **constants(rule), **tiles.of_pairs, **tiles.running,
    )  # fmt: skip
    return total, late


def pull(
    query: Query,
    key: Key,
    values: Pairwise,
    rule: Rule,
    *,
    grad: Float[Tensor, "batch head query value_width"],
    rows: tuple[Rows, Rows],
) -> tuple[Tensor, ...]:
    """Return the gradients of query, key and both parts of the values.

    `rows` are the log-sum-exp of each query and what the gradient of its weights is relative to.
    """
    query, key, a, b = (
        in_rows(each) for each in (query, key, values.query_part.contiguous(), values.key_part)
    )
    batch, heads, length, width = query.shape
    kv_heads, value_width = b.shape[1], b.shape[-1]
    tiles = tiles_of(width, value_width, PAIRWISE, query.element_size())
    bias, bias_strides = bias_of(query, rule)
    found = []
    programs = blocks(length, tiles.queries) * batch * heads
    board = board_of(query, 2 * programs, tiles)
    for program, shape in ((pull_queries, tiles), (pull_keys, tiles.turned)):
        narrow, wide = (
            query.new_empty(batch, heads, length, each) for each in (width, value_width)
        )
        program[(programs,)](
            query, key, a, b, grad.contiguous(), *(each.contiguous() for each in rows), bias,
            segments_of(query, rule), board, narrow, wide,
            *query.stride()[:3], *key.stride()[:3], *b.stride()[:3], *bias_strides,
            length, heads, heads // kv_heads, *numbers(rule),
            QK=width, DV=value_width, BLOCK_QK=padded(width), BLOCK_DV=padded(value_width),
            CHUNK=min(CHUNK, padded(width)), **constants(rule), **shape.of_pairs, **shape.running,
        )  # fmt: skip
        found += [narrow, wide]
    d_query, d_a, d_key, d_b = found
    d_key, d_b = (each.unflatten(1, (kv_heads, -1)).sum(dim=2) for each in (d_key, d_b))
    return d_query, d_key, d_a, d_b


def board_of(query: Query, programs: int, tiles: Tiles) -> Float[Tensor, "entry"]:
    """Return where programs leave a tile of weights each."""
    size = programs * tiles.queries * tiles.keys
    return query.new_empty(size, dtype=torch.float32)


def in_rows(tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return a tensor whose last axis is dense; only one that is not is copied."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def blocks(length: int, size: int) -> int:
    """Return how many blocks cover a length."""
    return -(-length // size)


def bias_of(query: Query, rule: Rule) -> tuple[Tensor, tuple[int, ...]]:
    """Return the bias of every pair without a copy, and how far apart its entries are."""
    if not isinstance(rule.bias, Tensor):
        return query, (0, 0, 0, 0)
    batch, heads, length, _ = query.shape
    bias = rule.bias.expand(batch, heads, length, length)
    return bias, bias.stride()


def segments_of(query: Query, rule: Rule) -> Tensor:
    """Return the segments as the kernels read them."""
    if rule.segments is None:
        return query.new_empty(1, dtype=torch.int32)
    return rule.segments.to(torch.int32).contiguous()


def numbers(rule: Rule) -> tuple[float, float, float, int]:
    """Return scale, cap, bias and window; those that a rule does not have are never read."""
    bias = 0.0 if isinstance(rule.bias, Tensor) else float(rule.bias)
    return float(rule.scale), float(rule.softcap or 1.0), bias, rule.window or 1


def constants(rule: Rule) -> dict[str, Any]:
    """Return what a kernel has to know of the rule when it is compiled."""
    return {
        "CAUSAL": rule.causal,
        "WINDOW": rule.window is not None,
        "SEGMENTS": rule.segments is not None,
        "SOFTCAP": rule.softcap is not None,
        "TENSOR_BIAS": isinstance(rule.bias, Tensor),
        "SIGMOID": rule.normaliser == "sigmoid",
        "PRECISION": "ieee",
    }
