"""The backward kernels of values GELU(a_i + b_j), which are formed again.

Each of them owns its rows, queries in one and keys in the other, and sums over the other side;
nothing is added to memory by two programs, so gradients are the same in every run.
"""

import triton.language as tl

from dva_lens.kernels.fused.language import gelu_and_slope, kernel, pair_weights


@kernel
def pull_queries(
    Q, K, A, B, Grad, Normalisers, Inner, Bias, Segments, DQ, DA,
    q_b, q_h, q_n, k_b, k_h, k_n, b_b, b_h, b_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, scale, softcap, bias, window,
    QK: tl.constexpr, DV: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_DV: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
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
    row = which.to(tl.int64) * length + queries
    narrow = inside[:, None] & (c_qk[None, :] < QK)
    wide = inside[:, None] & (c_dv[None, :] < DV)
    own = row[:, None] * DV + c_dv[None, :]
    q_at = queries[:, None].to(tl.int64) * q_n + c_qk[None, :]
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
        k_at = keys[:, None].to(tl.int64) * k_n + c_qk[None, :]
        k = tl.load(K + k_at, mask=there[:, None] & (c_qk[None, :] < QK), other=0.0)
        segment_k = tl.zeros([BLOCK_N], tl.int32)
        if SEGMENTS:
            segment_k = tl.load(Segments + keys, mask=there, other=0)
        q = tl.load(Q + q_at, mask=narrow, other=0.0)  # again, to keep registers for the values
        product = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
        p, cap_slope = pair_weights(
            product, queries[:, None], keys[None, :], segment_q[:, None], segment_k[None, :],
            normaliser[:, None], Bias, bias_q, bias_k, bias, softcap, length, window,
            CAUSAL, WINDOW, SEGMENTS, SOFTCAP, TENSOR_BIAS, SIGMOID,
        )  # fmt: skip
        d_p = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
        for j in range(tl.minimum(BLOCK_N, stop - first)):
            b_row = B + tl.cast(first + j, tl.int64) * b_n + c_dv
            b = tl.load(b_row, mask=c_dv < DV, other=0.0)
            value, slope = gelu_and_slope(a + b[None, :])
            here = columns[None, :] == j
            share = tl.sum(tl.where(here, p, 0.0), 1)
            d_p = tl.where(here, tl.sum(value * g, 1)[:, None], d_p)
            d_a += share[:, None] * slope
        d_s = p * (d_p - inner[:, None]) * cap_slope
        if SIGMOID:
            d_s *= 1.0 - p
        d_q += tl.dot(d_s, k, input_precision=PRECISION) * scale
    tl.store(DQ + row[:, None] * QK + c_qk[None, :], d_q, mask=narrow)
    tl.store(DA + own, d_a * g, mask=wide)


@kernel
def pull_keys(
    Q, K, A, B, Grad, Normalisers, Inner, Bias, Segments, DK, DB,
    q_b, q_h, q_n, k_b, k_h, k_n, b_b, b_h, b_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, scale, softcap, bias, window,
    QK: tl.constexpr, DV: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_DV: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
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
    base = which.to(tl.int64) * length
    narrow = there[:, None] & (c_qk[None, :] < QK)
    wide = there[:, None] & (c_dv[None, :] < DV)
    k = tl.load(K + keys[:, None].to(tl.int64) * k_n + c_qk[None, :], mask=narrow, other=0.0)
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
        q_at = queries[:, None].to(tl.int64) * q_n + c_qk[None, :]
        q = tl.load(Q + q_at, mask=inside[:, None] & (c_qk[None, :] < QK), other=0.0)
        normaliser = tl.load(Normalisers + base + queries, mask=inside, other=float("inf"))
        inner = tl.load(Inner + base + queries, mask=inside, other=0.0)
        segment_q = tl.zeros([BLOCK_M], tl.int32)
        if SEGMENTS:
            segment_q = tl.load(Segments + queries, mask=inside, other=0)
        product = tl.dot(k, tl.trans(q), input_precision=PRECISION) * scale
        p, cap_slope = pair_weights(
            product, queries[None, :], keys[:, None], segment_q[None, :], segment_k[:, None],
            normaliser[None, :], Bias, bias_q, bias_k, bias, softcap, length, window,
            CAUSAL, WINDOW, SEGMENTS, SOFTCAP, TENSOR_BIAS, SIGMOID,
        )  # fmt: skip
        d_p = tl.zeros([BLOCK_N, BLOCK_M], tl.float32)
        for i in range(tl.minimum(BLOCK_M, stop - first)):
            at = (base + first + i) * DV + c_dv
            a = tl.load(A + at, mask=c_dv < DV, other=0.0)
            g = tl.load(Grad + at, mask=c_dv < DV, other=0.0)
            value, slope = gelu_and_slope(a[None, :] + b)
            here = columns[None, :] == i
            share = tl.sum(tl.where(here, p, 0.0), 1)
            d_p = tl.where(here, tl.sum(value * g[None, :], 1)[:, None], d_p)
            d_b += share[:, None] * slope * g[None, :]
        d_s = p * (d_p - inner[None, :]) * cap_slope
        if SIGMOID:
            d_s *= 1.0 - p
        d_k += tl.dot(d_s, q, input_precision=PRECISION) * scale
    row = base + keys
    tl.store(DK + row[:, None] * QK + c_qk[None, :], d_k, mask=narrow)
    tl.store(DB + row[:, None] * DV + c_dv[None, :], d_b, mask=wide)
