"""What the Triton kernels share: scores, visibility and the nonlinearity of pair values.

Formula letters in capitals are pointers, or constants known when a kernel is compiled.
"""

import inspect
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl


def kernel(function: Callable[..., object]) -> Any:
    """Compile a function for the device, as it stands in the source.

    Checks of shapes wrap every function where tests switch them on; a kernel has to be read from
    its own source, and what it gets are no tensors of torch.
    """
    return triton.jit(inspect.unwrap(function))


@kernel
def seen_pairs(
    i, j, segment_i, segment_j, length, window,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
):  # fmt: skip
    """Say which queries see which keys; positions and segments broadcast against each other."""
    seen = (i < length) & (j < length) & (j >= 0)
    if CAUSAL:
        seen = seen & (j <= i)
    if WINDOW:
        seen = seen & (i - j < window) & (j - i < window)
    if SEGMENTS:
        seen = seen & (segment_i == segment_j) & (segment_j != 0)
    return seen


@kernel
def finished_scores(
    product, i, j, Bias, bias_q, bias_k, bias, softcap, length,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr,
):  # fmt: skip
    """Cap scaled products and add the bias."""
    s = product
    if SOFTCAP:
        s = softcap * tanh(s / softcap)
    s = s + bias
    if TENSOR_BIAS:
        inside = (i < length) & (j < length) & (j >= 0)
        at = i.to(tl.int64) * bias_q + j.to(tl.int64) * bias_k
        s = s + tl.load(Bias + at, mask=inside, other=0.0).to(tl.float32)
    return s


@kernel
def binary_scores(
    product, scale, i, j, Bias, bias_q, bias_k, bias, softcap, length,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr,
):  # fmt: skip
    """Scale products, cap them and add the bias, in units of log 2.

    Where the bias is a number and there is no cap, that is one instruction for a pair.
    """
    LOG2E = 1.4426950408889634
    if SOFTCAP or TENSOR_BIAS:
        s = LOG2E * finished_scores(
            product * scale, i, j, Bias, bias_q, bias_k, bias, softcap, length, SOFTCAP,
            TENSOR_BIAS,
        )  # fmt: skip
    else:
        s = product * (scale * LOG2E) + bias * LOG2E
    return s


@kernel
def products(
    Q, K, queries, keys, q_n, k_n, length,
    QK: tl.constexpr, CHUNK: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Multiply a block of queries with a block of keys, a few channels at a time.

    That leaves the registers to what else a program keeps.
    """
    product = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for first in range(0, QK, CHUNK):
        c = first + tl.arange(0, CHUNK)
        q_mask = (queries < length)[:, None] & (c[None, :] < QK)
        k_mask = (keys < length)[:, None] & (c[None, :] < QK)
        q_at = queries[:, None].to(tl.int64) * q_n + c[None, :]
        k_at = keys[:, None].to(tl.int64) * k_n + c[None, :]
        q = tl.load(Q + q_at, mask=q_mask, other=0.0)
        k = tl.load(K + k_at, mask=k_mask, other=0.0)
        product += tl.dot(q, tl.trans(k), input_precision=PRECISION)
    return product


@kernel
def leave(Board, tile, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    """Write a small tile where `column` reads it; a barrier has to come before and after.

    Whoever takes a column out of a tile in registers makes the compiler lay out everything that
    meets the column like that tile, or move it there and back; one that is read has no layout.
    """
    rows = tl.arange(0, ROWS)
    columns = tl.arange(0, COLUMNS)
    tl.store(Board + columns[None, :] * ROWS + rows[:, None], tile)


@kernel
def column(Board, j, ROWS: tl.constexpr):
    """Read one column of a tile that `leave` wrote."""
    return tl.load(Board + j * ROWS + tl.arange(0, ROWS))


@kernel
def weight_on(
    keys, normaliser, queries, segment_q, Q, K, q_n, k_n, Bias, bias_q, bias_k, Segments,
    length, window, scale, softcap, bias,
    QK: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
):  # fmt: skip
    """Return the weight of each query on a key of its own choice."""
    there = (keys >= 0) & (keys < length) & (queries < length)
    product = tl.zeros_like(normaliser)
    for first in range(0, QK, 16):  # few channels at a time, which leaves registers to the rest
        c = first + tl.arange(0, 16)
        mask = there[:, None] & (c[None, :] < QK)
        q = tl.load(Q + queries[:, None].to(tl.int64) * q_n + c[None, :], mask=mask, other=0.0)
        k = tl.load(K + keys[:, None].to(tl.int64) * k_n + c[None, :], mask=mask, other=0.0)
        product += tl.sum(q.to(tl.float32) * k.to(tl.float32), 1)
    product *= scale
    s = finished_scores(
        product, queries, keys, Bias, bias_q, bias_k, bias, softcap, length, SOFTCAP, TENSOR_BIAS
    )
    segment_k = segment_q
    if SEGMENTS:
        segment_k = tl.load(Segments + keys, mask=there, other=0)
    seen = seen_pairs(
        queries, keys, segment_q, segment_k, length, window, CAUSAL, WINDOW, SEGMENTS
    )
    if SIGMOID:
        return tl.where(seen, tl.sigmoid(s), 0.0)
    safe = tl.where(normaliser == float("-inf"), 0.0, normaliser)
    return tl.where(seen, tl.exp(s - safe), 0.0)


@kernel
def tanh(x):
    """Return tanh; a series near zero, where the quotient would lose digits."""
    square = x * x
    series = 1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0)))
    series += square * square * square * square * (62.0 / 2835.0)
    decay = tl.exp(-2.0 * tl.abs(x))
    quotient = (1.0 - decay) / (1.0 + decay)
    return tl.where(tl.abs(x) < 0.25, x * series, tl.where(x < 0.0, -quotient, quotient))


@kernel
def gelu(hidden):
    """Return the exact GELU."""
    return 0.5 * hidden * (1.0 + tl.erf(hidden * 0.7071067811865476))


@kernel
def gelu_and_slope(hidden):
    """Return the exact GELU and its derivative."""
    below = 0.5 + 0.5 * tl.erf(hidden * 0.7071067811865476)
    density = 0.3989422804014327 * tl.exp(-0.5 * hidden * hidden)
    return hidden * below, below + hidden * density


@kernel
def pair_weights(
    product, i, j, segment_i, segment_j, normaliser, Bias, bias_q, bias_k, bias, softcap, length,
    window, CAUSAL: tl.constexpr, WINDOW: tl.constexpr, SEGMENTS: tl.constexpr,
    SOFTCAP: tl.constexpr, TENSOR_BIAS: tl.constexpr, SIGMOID: tl.constexpr,
):  # fmt: skip
    """Return the weights of pairs whose normalisers are known, and the slope of the cap."""
    slope = tl.full([1, 1], 1.0, tl.float32)
    if SOFTCAP:
        share = tanh(product / softcap)
        slope = 1.0 - share * share
        product = softcap * share
    s = finished_scores(
        product, i, j, Bias, bias_q, bias_k, bias, softcap, length, False, TENSOR_BIAS
    )
    seen = seen_pairs(i, j, segment_i, segment_j, length, window, CAUSAL, WINDOW, SEGMENTS)
    if SIGMOID:
        p = tl.sigmoid(s)
    else:
        p = tl.exp(s - tl.where(normaliser == float("-inf"), float("inf"), normaliser))
    return tl.where(seen, p, 0.0), slope
