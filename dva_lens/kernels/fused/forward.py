"""The kernel that leaves the output and every number per query in one pass over the keys.

Scores are kept in units of log 2, so that one instruction exponentiates them. Sums are relative
to the running maximum and rescaled when it rises; the sum for the entropy is taken of differences
to that maximum, so that no large numbers cancel. What key 0 adds to a sum is kept apart and added
last, so that the rest keeps its digits where key 0 takes nearly everything.
"""

import triton.language as tl

from dva_lens.kernels.fused.language import (
    binary_scores,
    column,
    gelu,
    kernel,
    leave,
    products,
    seen_pairs,
    weight_on,
)

PER_QUERY = (
    "log_sum_exp", "row_mass", "entropy", "square_sum", "largest", "distance", "value_norm",
    "first_mass", "rest_mass", "rest_entropy", "rest_distance", "self_mass", "previous_mass",
)  # fmt: skip
"""The rows of `Stats`, in the order in which the kernel writes them."""


@kernel
def forward(
    Q, K, V, Left, Right, LeftSizes, Sizes, Sink, Bias, Segments, Board, Out, Stats,
    q_b, q_h, q_n, k_b, k_h, k_n, v_b, v_h, v_n, bias_b, bias_h, bias_q, bias_k,
    length, heads, group, rows, scale, softcap, bias, window,
    QK: tl.constexpr, DV: tl.constexpr, BLOCK_QK: tl.constexpr, BLOCK_DV: tl.constexpr,
    CHUNK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr, SINK: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
    VALUES: tl.constexpr, MEASURE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Attend from one block of queries of one head to all keys that it may see.

    `VALUES` is the `how` of `operands.Operands`. Without `MEASURE` only the output, log-sum-exp
    and row mass are written.
    """
    LOG2E = 1.4426950408889634
    LN2 = 0.6931471805599453
    blocks = (length + BLOCK_M - 1) // BLOCK_M
    which = tl.program_id(0) // blocks
    block = blocks - 1 - tl.program_id(0) % blocks  # the longest rows first
    batch = which // heads
    head = which % heads
    kv_head = head // group
    place = block * BLOCK_M
    queries = place + tl.arange(0, BLOCK_M)
    inside = queries < length
    offset = (queries - place).to(tl.float32)
    c_qk = tl.arange(0, BLOCK_QK)
    c_dv = tl.arange(0, BLOCK_DV)
    columns = tl.arange(0, BLOCK_N)
    Q += batch.to(tl.int64) * q_b + head.to(tl.int64) * q_h
    K += batch.to(tl.int64) * k_b + kv_head.to(tl.int64) * k_h
    V += batch.to(tl.int64) * v_b + kv_head.to(tl.int64) * v_h
    Bias += batch.to(tl.int64) * bias_b + head.to(tl.int64) * bias_h
    Segments += batch.to(tl.int64) * length
    own_keys = (batch.to(tl.int64) * (heads // group) + kv_head) * length
    row = which.to(tl.int64) * length + queries
    q_at = queries[:, None].to(tl.int64) * q_n + c_qk[None, :]
    if VALUES < 2:
        q = tl.load(Q + q_at, mask=inside[:, None] & (c_qk[None, :] < QK), other=0.0)
    wide = inside[:, None] & (c_dv[None, :] < DV)
    Board += tl.program_id(0).to(tl.int64) * BLOCK_M * BLOCK_N
    left_at = Left + row[:, None] * DV + c_dv[None, :]
    if VALUES == 1:
        left = tl.load(left_at, mask=wide, other=0.0)
        left_size = tl.load(LeftSizes + row, mask=inside, other=0.0)
    segment_q = tl.zeros([BLOCK_M], tl.int32)
    if SEGMENTS:
        segment_q = tl.load(Segments + queries, mask=inside, other=0)

    m = tl.full([BLOCK_M], float("-inf"), tl.float32)
    on_first = tl.zeros([BLOCK_M], tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)  # like surprise and distance, without key 0 there
    surprise = tl.zeros([BLOCK_M], tl.float32)
    squares = tl.zeros([BLOCK_M], tl.float32)
    distance = tl.zeros([BLOCK_M], tl.float32)
    sizes = tl.zeros([BLOCK_M], tl.float32)
    out = tl.zeros([BLOCK_M, BLOCK_DV], tl.float32)

    start = block * 0
    stop = start + length
    if CAUSAL:
        stop = tl.minimum(length, place + BLOCK_M)
    if WINDOW:
        start = tl.maximum(0, (place - window + 1) // BLOCK_N * BLOCK_N)
        if not CAUSAL:
            stop = tl.minimum(length, place + BLOCK_M + window - 1)
    middle = start  # before it every pair is visible, and nothing has to be masked
    if not WINDOW and not SEGMENTS:
        middle = length // BLOCK_N * BLOCK_N
        if CAUSAL:
            middle = tl.minimum(middle, place // BLOCK_N * BLOCK_N)
    clear = start  # the tile of key 0 is masked with those at the edge
    if MEASURE:
        clear = tl.minimum(start + BLOCK_N, middle)
    for edge in tl.static_range(2):
        low = clear if edge == 0 else middle - (clear - start)
        high = middle if edge == 0 else stop
        for at in range(low, high, BLOCK_N):
            first = tl.where(at < middle, start, at) if edge == 1 else at
            keys = first + columns
            there = keys < length
            if VALUES < 2:
                k_at = keys[:, None].to(tl.int64) * k_n + c_qk[None, :]
                k = tl.load(K + k_at, mask=there[:, None] & (c_qk[None, :] < QK), other=0.0)
                product = tl.dot(q, tl.trans(k), input_precision=PRECISION)
            else:  # values of pairs fill the registers
                product = products(
                    Q, K, queries, keys, q_n, k_n, length, QK, CHUNK, BLOCK_M, BLOCK_N, PRECISION
                )
            s = binary_scores(
                product, scale, queries[:, None], keys[None, :], Bias, bias_q, bias_k, bias,
                softcap, length, SOFTCAP, TENSOR_BIAS,
            )  # fmt: skip
            if edge == 1:
                segment_k = tl.zeros([BLOCK_N], tl.int32)
                if SEGMENTS:
                    segment_k = tl.load(Segments + keys, mask=there, other=0)
                seen = seen_pairs(
                    queries[:, None], keys[None, :], segment_q[:, None], segment_k[None, :],
                    length, window, CAUSAL, WINDOW, SEGMENTS,
                )  # fmt: skip
                s = tl.where(seen, s, float("-inf"))
            risen = tl.maximum(m, tl.max(s, 1))
            base = tl.where(risen == float("-inf"), 0.0, risen)
            if SIGMOID:
                alive = s > float("-inf")
                natural = tl.where(alive, s * LN2, 0.0)
                p = tl.where(alive, tl.sigmoid(natural), 0.0)
                rest = p
                if MEASURE:
                    if edge == 1:
                        rest = tl.where(keys[None, :] == 0, 0.0, p)
                    log_p = tl.minimum(natural, 0.0) - tl.log(1 + tl.exp(-tl.abs(natural)))
                    surprise -= tl.sum(rest * log_p, 1)
            else:
                old = tl.where(m == float("-inf"), base, m)
                shrink = tl.exp2(old - base)
                p = tl.exp2(s - base[:, None])
                rest = p
                if MEASURE:
                    if edge == 1:
                        rest = tl.where(keys[None, :] == 0, 0.0, p)
                    lag = s - base[:, None]
                    if edge == 1 or TENSOR_BIAS:
                        lag = tl.where(p > 0.0, lag, 0.0)
                    surprise = shrink * (surprise + (old - base) * total) + tl.sum(rest * lag, 1)
                    on_first *= shrink
                    squares *= shrink * shrink
                    distance *= shrink
                    sizes *= shrink
                total *= shrink
                out *= shrink[:, None]
            m = risen
            mass = tl.sum(rest, 1)
            total += mass
            if MEASURE:
                if edge == 1:
                    on_first += tl.sum(tl.where(keys[None, :] == 0, p, 0.0), 1)
                squares += tl.sum(p * p, 1)
                if edge == 1:
                    gap = (queries[:, None] - keys[None, :]).to(tl.float32)
                    distance += tl.sum(rest * gap, 1)
                else:
                    gap = (place - keys).to(tl.float32)
                    distance += tl.sum(p * gap[None, :], 1) + offset * mass
            if VALUES < 2:
                v_at = keys[:, None].to(tl.int64) * v_n + c_dv[None, :]
                v = tl.load(V + v_at, mask=there[:, None] & (c_dv[None, :] < DV), other=0.0)
                out += tl.dot(p.to(v.dtype), v, input_precision=PRECISION)
                if MEASURE:
                    size = tl.load(Sizes + own_keys + keys, mask=there, other=0.0)
                    if VALUES == 0:
                        sizes += tl.sum(p * size[None, :], 1)
                    else:
                        r_at = (own_keys + keys)[:, None] * DV + c_dv[None, :]
                        there_wide = there[:, None] & (c_dv[None, :] < DV)
                        right = tl.load(Right + r_at, mask=there_wide, other=0.0)
                        pair = tl.dot(left, tl.trans(right), input_precision="ieee")
                        pair += left_size[:, None] + size[None, :]
                        sizes += tl.sum(p * tl.sqrt(tl.maximum(pair, 0.0)), 1)
            else:
                tl.debug_barrier()
                leave(Board, p, BLOCK_M, BLOCK_N)
                tl.debug_barrier()
                left = tl.load(left_at, mask=wide, other=0.0)  # here it settles the layout
                for j in range(tl.minimum(BLOCK_N, high - first)):
                    share = column(Board, j, BLOCK_M)
                    v_row = V + tl.cast(first + j, tl.int64) * v_n + c_dv
                    v = tl.load(v_row, mask=c_dv < DV, other=0.0).to(tl.float32)
                    if VALUES == 2:
                        value = gelu(left + v[None, :])
                    else:
                        r_row = Right + (own_keys + first + j) * DV + c_dv
                        right = tl.load(r_row, mask=c_dv < DV, other=0.0)
                        value = 2.0 * tl.sigmoid(left * right[None, :]) * v[None, :]
                    out += share[:, None] * value
                    if MEASURE:
                        sizes += share * tl.sqrt(tl.sum(value * value, 1))

    nothing = m == float("-inf")
    base = tl.where(nothing, 0.0, m)
    unit = tl.full([BLOCK_M], 1.0, tl.float32)
    if SIGMOID:
        rest_entropy = surprise
        normaliser = tl.full([BLOCK_M], float("nan"), tl.float32)
        peak = tl.where(nothing, 0.0, tl.sigmoid(base * LN2))
    else:
        whole = total + on_first
        if SINK:
            sink = tl.load(Sink + head) * LOG2E
            raised = tl.where(nothing, sink, tl.maximum(base, sink))
            lowered = tl.where(nothing, 0.0, tl.exp2(base - raised))
            surprise = lowered * (surprise + (base - raised) * total)
            on_first *= lowered
            squares *= lowered * lowered
            distance *= lowered
            sizes *= lowered
            total *= lowered
            out *= lowered[:, None]
            whole = total + on_first + tl.exp2(sink - raised)
            base = raised
        empty = whole == 0.0
        unit = tl.where(empty, 0.0, 1.0 / tl.where(empty, 1.0, whole))
        log_whole = tl.log2(tl.where(empty, 1.0, whole))
        rest_entropy = LN2 * unit * (log_whole * total - surprise)
        normaliser = tl.where(empty, float("-inf"), LN2 * (base + log_whole))
        peak = tl.where(nothing, 0.0, tl.exp2(m - base) * unit)
    out *= unit[:, None]
    o_at = row[:, None] * DV + c_dv[None, :]
    tl.store(Out + o_at, out.to(Out.dtype.element_ty), mask=wide)
    Stats += row
    tl.store(Stats, normaliser, mask=inside)
    Stats += rows
    first_mass = on_first * unit
    rest_mass = total * unit
    tl.store(Stats, rest_mass + first_mass, mask=inside)
    if MEASURE:
        logarithm = LN2 * tl.log2(tl.where(first_mass > 0.0, first_mass, 1.0))
        Stats += rows
        tl.store(Stats, rest_entropy - first_mass * logarithm, mask=inside)
        Stats += rows
        tl.store(Stats, squares * unit * unit, mask=inside)
        Stats += rows
        tl.store(Stats, peak, mask=inside)
        Stats += rows
        tl.store(Stats, distance * unit + first_mass * queries, mask=inside)
        Stats += rows
        tl.store(Stats, sizes * unit, mask=inside)
        Stats += rows
        tl.store(Stats, first_mass, mask=inside)
        Stats += rows
        tl.store(Stats, rest_mass, mask=inside)
        Stats += rows
        tl.store(Stats, rest_entropy, mask=inside)
        Stats += rows
        tl.store(Stats, distance * unit, mask=inside)
        for back in tl.static_range(2):
            weight = weight_on(
                queries - back, normaliser, queries, segment_q, Q, K, q_n, k_n, Bias, bias_q,
                bias_k, Segments, length, window, scale, softcap, bias, QK, CAUSAL, WINDOW,
                SEGMENTS, SOFTCAP, TENSOR_BIAS, SIGMOID,
            )  # fmt: skip
            Stats += rows
            tl.store(Stats, weight, mask=inside)
