"""The kernel of the transposed pass: what every key receives, once the normalisers are known.

What comes from queries that see few keys is summed on its own. Where every query sees every key,
none sees few, and nothing is asked.
"""

import triton.language as tl

from dva_lens.kernels.fused.language import binary_scores, kernel, seen_pairs


@kernel
def received(
    Q, K, Bias, Segments, Visible, Normalisers, Received, Late,
    q_b, q_h, q_n, k_b, k_h, k_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, scale, softcap, bias, window, many,
    QK: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum the weights that one block of keys gets from all queries that may see it.

    What queries give that see fewer than `many` keys is part of `Received` alone.
    """
    LOG2E = 1.4426950408889634
    LN2 = 0.6931471805599453
    blocks = (length + BLOCK_N - 1) // BLOCK_N
    which = tl.program_id(0) // blocks
    block = tl.program_id(0) % blocks
    batch = which // heads
    head = which % heads
    place = block * BLOCK_N
    keys = place + tl.arange(0, BLOCK_N)
    there = keys < length
    c_qk = tl.arange(0, BLOCK_QK)
    Q += batch.to(tl.int64) * q_b + head.to(tl.int64) * q_h
    K += batch.to(tl.int64) * k_b + (head // group).to(tl.int64) * k_h
    Bias += batch.to(tl.int64) * bias_b + head.to(tl.int64) * bias_h
    Segments += batch.to(tl.int64) * length
    Visible += batch.to(tl.int64) * length
    Normalisers += which.to(tl.int64) * length
    k_at = keys[:, None].to(tl.int64) * k_n + c_qk[None, :]
    k = tl.load(K + k_at, mask=there[:, None] & (c_qk[None, :] < QK), other=0.0)
    segment_k = tl.zeros([BLOCK_N], tl.int32)
    if SEGMENTS:
        segment_k = tl.load(Segments + keys, mask=there, other=0)
    late = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    early = tl.zeros([BLOCK_N], tl.float32)

    start = block * 0
    stop = start + length
    if CAUSAL:
        start = place // BLOCK_M * BLOCK_M
    if WINDOW:
        stop = tl.minimum(length, place + BLOCK_N + window - 1)
        if not CAUSAL:
            start = tl.maximum(0, (place - window + 1) // BLOCK_M * BLOCK_M)
    middle = stop  # from here on every query sees every key, and many; none beyond the end weighs
    if not WINDOW and not SEGMENTS and not SIGMOID:
        if CAUSAL:
            middle = tl.maximum(place + BLOCK_N - 1, many - 1)
            middle = tl.minimum(stop, (middle + BLOCK_M - 1) // BLOCK_M * BLOCK_M)
        else:
            middle = tl.where(length < many, stop, start)
    for clear in tl.static_range(2):
        low = start if clear == 0 else middle
        high = middle if clear == 0 else stop
        for first in range(low, high, BLOCK_M):
            queries = first + tl.arange(0, BLOCK_M)
            inside = queries < length
            q_at = queries[:, None].to(tl.int64) * q_n + c_qk[None, :]
            q = tl.load(Q + q_at, mask=inside[:, None] & (c_qk[None, :] < QK), other=0.0)
            product = tl.dot(q, tl.trans(k), input_precision=PRECISION)
            s = binary_scores(
                product, scale, queries[:, None], keys[None, :], Bias, bias_q, bias_k, bias,
                softcap, length, SOFTCAP, TENSOR_BIAS,
            )  # fmt: skip
            if SIGMOID:
                p = tl.sigmoid(s * LN2)
            else:
                normaliser = tl.load(Normalisers + queries, mask=inside, other=float("inf"))
                blind = normaliser == float("-inf")
                normaliser = LOG2E * tl.where(blind, float("inf"), normaliser)
                p = tl.exp2(s - normaliser[:, None])
            if clear == 0:
                segment_q = tl.zeros([BLOCK_M], tl.int32)
                if SEGMENTS:
                    segment_q = tl.load(Segments + queries, mask=inside, other=0)
                seen = seen_pairs(
                    queries[:, None], keys[None, :], segment_q[:, None], segment_k[None, :],
                    length, window, CAUSAL, WINDOW, SEGMENTS,
                )  # fmt: skip
                p = tl.where(seen, p, 0.0)
                few = tl.load(Visible + queries, mask=inside, other=many) < many
                if tl.max(few.to(tl.int32)) > 0:
                    early += tl.sum(tl.where(few[:, None], p, 0.0), 0)
                    p = tl.where(few[:, None], 0.0, p)
            late += p
    row = which.to(tl.int64) * length + keys
    of_many = tl.sum(late, 0)
    tl.store(Received + row, of_many + early, mask=there)
    tl.store(Late + row, of_many, mask=there)
