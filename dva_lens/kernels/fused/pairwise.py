"""The backward kernels of values GELU(a_i + b_j), which are formed again.

Each of them owns its rows, queries in one and keys in the other, and sums over the other side;
nothing is added to memory by two programs, so gradients are the same in every run.
"""

import triton.language as tl

from dva_lens.kernels.fused.language import (
    column,
    gelu_and_slope,
    kernel,
    leave,
    pair_weights,
    products,
)


@kernel
def pull_queries(
    Q, K, A, B, Grad, Normalisers, Inner, Bias, Segments, Board, DQ, DA,
    q_b, q_h, q_n, k_b, k_h, k_n, b_b, b_h, b_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, scale, softcap, bias, window,
    QK: tl.constexpr, DV: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_DV: tl.constexpr,
    CHUNK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write the gradients of one block of queries and of their parts of the values."""
    blocks = (length + BLOCK_M - 1) // BLOCK_M
    which = tl.program_id(0) // blocks
    block = blocks - 1 - tl.program_id(0) % blocks
    batch = which // heads
    head = which % heads
    kv_head = head // group
    place = block * BLOCK_M
    queries = place + tl.arange(0, BLOCK_M)
    inside = queries < length
    c_qk = tl.arange(0, BLOCK_QK)
    c_dv = tl.arange(0, BLOCK_DV)
    columns = tl.arange(0, BLOCK_N)
    Q += batch.to(tl.int64) * q_b + head.to(tl.int64) * q_h
    K += batch.to(tl.int64) * k_b + kv_head.to(tl.int64) * k_h
    B += batch.to(tl.int64) * b_b + kv_head.to(tl.int64) * b_h
    Bias += batch.to(tl.int64) * bias_b + head.to(tl.int64) * bias_h
    Segments += batch.to(tl.int64) * length
    Board += tl.program_id(0).to(tl.int64) * (2 * BLOCK_M * BLOCK_N)
    row = which.to(tl.int64) * length + queries
    narrow = inside[:, None] & (c_qk[None, :] < QK)
    wide = inside[:, None] & (c_dv[None, :] < DV)
    own = row[:, None] * DV + c_dv[None, :]
    a = tl.load(A + own, mask=wide, other=0.0)
    g = tl.load(Grad + own, mask=wide, other=0.0)
    normaliser = tl.load(Normalisers + row, mask=inside, other=float("inf"))
    inner = tl.load(Inner + row, mask=inside, other=0.0)
    segment_q = tl.zeros([BLOCK_M], tl.int32)
    if SEGMENTS:
        segment_q = tl.load(Segments + queries, mask=inside, other=0)
    d_q = tl.zeros([BLOCK_M, BLOCK_QK], tl.float32)
    d_a = tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)

    start = block * 0
    stop = start + length
    if CAUSAL:
        stop = tl.minimum(length, place + BLOCK_M)
    if WINDOW:
        start = tl.maximum(0, (place - window + 1) // BLOCK_N * BLOCK_N)
        if not CAUSAL:
            stop = tl.minimum(length, place + BLOCK_M + window - 1)
    for first in range(start, stop, BLOCK_N):
        keys = first + columns
        there = keys < length
        segment_k = tl.zeros([BLOCK_N], tl.int32)
        if SEGMENTS:
            segment_k = tl.load(Segments + keys, mask=there, other=0)
        product = scale * products(
            Q, K, queries, keys, q_n, k_n, length, QK, CHUNK, BLOCK_M, BLOCK_N, PRECISION
        )
        p, cap_slope = pair_weights(
            product, queries[:, None], keys[None, :], segment_q[:, None], segment_k[None, :],
            normaliser[:, None], Bias, bias_q, bias_k, bias, softcap, length, window,
            CAUSAL, WINDOW, SEGMENTS, SOFTCAP, TENSOR_BIAS, SIGMOID,
        )  # fmt: skip
        moved = p * cap_slope * scale  # what a score moves, as a share of what its weight does
        if SIGMOID:
            moved *= 1.0 - p
        tl.debug_barrier()
        leave(Board, p, BLOCK_M, BLOCK_N)
        leave(Board + BLOCK_M * BLOCK_N, moved, BLOCK_M, BLOCK_N)
        tl.debug_barrier()
        for j in range(tl.minimum(BLOCK_N, stop - first)):
            key = tl.cast(first + j, tl.int64)
            b = tl.load(B + key * b_n + c_dv, mask=c_dv < DV, other=0.0)
            k = tl.load(K + key * k_n + c_qk, mask=c_qk < QK, other=0.0)
            value, slope = gelu_and_slope(a + b[None, :])
            share = column(Board, j, BLOCK_M)
            d_s = column(Board + BLOCK_M * BLOCK_N, j, BLOCK_M)
            d_s *= tl.sum(value * g, 1) - inner
            d_a += share[:, None] * slope
            d_q += d_s[:, None] * k[None, :]
    tl.store(DQ + row[:, None] * QK + c_qk[None, :], d_q, mask=narrow)
    tl.store(DA + own, d_a * g, mask=wide)


@kernel
def pull_keys(
    Q, K, A, B, Grad, Normalisers, Inner, Bias, Segments, Board, DK, DB,
    q_b, q_h, q_n, k_b, k_h, k_n, b_b, b_h, b_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, scale, softcap, bias, window,
    QK: tl.constexpr, DV: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_DV: tl.constexpr,
    CHUNK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write the gradients of one block of keys and of their parts, for one query head."""
    blocks = (length + BLOCK_N - 1) // BLOCK_N
    which = tl.program_id(0) // blocks
    batch = which // heads
    head = which % heads
    kv_head = head // group
    place = tl.program_id(0) % blocks * BLOCK_N
    keys = place + tl.arange(0, BLOCK_N)
    there = keys < length
    c_qk = tl.arange(0, BLOCK_QK)
    c_dv = tl.arange(0, BLOCK_DV)
    columns = tl.arange(0, BLOCK_M)
    Q += batch.to(tl.int64) * q_b + head.to(tl.int64) * q_h
    K += batch.to(tl.int64) * k_b + kv_head.to(tl.int64) * k_h
    B += batch.to(tl.int64) * b_b + kv_head.to(tl.int64) * b_h
    Bias += batch.to(tl.int64) * bias_b + head.to(tl.int64) * bias_h
    Segments += batch.to(tl.int64) * length
    Board += tl.program_id(0).to(tl.int64) * (2 * BLOCK_M * BLOCK_N)
    base = which.to(tl.int64) * length
    narrow = there[:, None] & (c_qk[None, :] < QK)
    wide = there[:, None] & (c_dv[None, :] < DV)
    b = tl.load(B + keys[:, None].to(tl.int64) * b_n + c_dv[None, :], mask=wide, other=0.0)
    segment_k = tl.zeros([BLOCK_N], tl.int32)
    if SEGMENTS:
        segment_k = tl.load(Segments + keys, mask=there, other=0)
    d_k = tl.zeros([BLOCK_N, BLOCK_QK], tl.float32)
    d_b = tl.zeros([BLOCK_N, BLOCK_DV], tl.float32)

    start = place * 0
    stop = start + length
    if CAUSAL:
        start = place // BLOCK_M * BLOCK_M
    if WINDOW:
        stop = tl.minimum(length, place + BLOCK_N + window - 1)
        if not CAUSAL:
            start = tl.maximum(0, (place - window + 1) // BLOCK_M * BLOCK_M)
    for first in range(start, stop, BLOCK_M):
        queries = first + columns
        inside = queries < length
        normaliser = tl.load(Normalisers + base + queries, mask=inside, other=float("inf"))
        segment_q = tl.zeros([BLOCK_M], tl.int32)
        if SEGMENTS:
            segment_q = tl.load(Segments + queries, mask=inside, other=0)
        product = scale * products(
            K, Q, keys, queries, k_n, q_n, length, QK, CHUNK, BLOCK_N, BLOCK_M, PRECISION
        )
        p, cap_slope = pair_weights(
            product, queries[None, :], keys[:, None], segment_q[None, :], segment_k[:, None],
            normaliser[None, :], Bias, bias_q, bias_k, bias, softcap, length, window,
            CAUSAL, WINDOW, SEGMENTS, SOFTCAP, TENSOR_BIAS, SIGMOID,
        )  # fmt: skip
        moved = p * cap_slope * scale
        if SIGMOID:
            moved *= 1.0 - p
        tl.debug_barrier()
        leave(Board, p, BLOCK_N, BLOCK_M)
        leave(Board + BLOCK_N * BLOCK_M, moved, BLOCK_N, BLOCK_M)
        tl.debug_barrier()
        for i in range(tl.minimum(BLOCK_M, stop - first)):
            query = base + first + i
            a = tl.load(A + query * DV + c_dv, mask=c_dv < DV, other=0.0)
            g = tl.load(Grad + query * DV + c_dv, mask=c_dv < DV, other=0.0)
            q_row = Q + tl.cast(first + i, tl.int64) * q_n + c_qk
            q = tl.load(q_row, mask=c_qk < QK, other=0.0)
            own = tl.load(Inner + query)
            value, slope = gelu_and_slope(a[None, :] + b)
            share = column(Board, i, BLOCK_N)
            d_s = column(Board + BLOCK_N * BLOCK_M, i, BLOCK_N)
            d_s *= tl.sum(value * g[None, :], 1) - own
            d_b += share[:, None] * slope * g[None, :]
            d_k += d_s[:, None] * q[None, :]
    row = base + keys
    tl.store(DK + row[:, None] * QK + c_qk[None, :], d_k, mask=narrow)
    tl.store(DB + row[:, None] * DV + c_dv[None, :], d_b, mask=wide)
