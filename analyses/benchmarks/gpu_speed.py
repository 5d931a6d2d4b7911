"""What do recording, pairwise values and training cost on a GPU?"""

import math
import statistics
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
import triton.language as tl
from torch.nn.attention import SDPBackend, sdpa_kernel

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.fused.gradients import attend_pairwise
from dva_lens.kernels.fused.language import gelu, gelu_and_slope, kernel
from dva_lens.kernels.fused.launch import forward
from dva_lens.kernels.fused.operands import operands_of
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise, Static

HEADS, WIDTH = 16, 128
PER_QUERY_BOUND, RECEIVED_BOUND, ROOFLINE_BOUND = 1.5, 2.2, 0.5
TRAINED = {"layers": 6, "width": 512, "heads": 8, "vocabulary": 8192, "context": 512}
BATCH, STEPS = 16, 8
ROW_SECONDS = 0.01
Run = Callable[[], object]


def seconds(run: Run, times: int = 9) -> float:
    """Return the median seconds of a call on the GPU, after two to warm up.

    Short calls are made in a row, as a model with many layers makes them.
    """
    run()
    row = max(1, math.ceil(ROW_SECONDS / _taken(run, 1)))
    return statistics.median(_taken(run, row) for _ in range(times))


def _taken(run: Run, calls: int) -> float:
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        run()
    stop.record()
    torch.cuda.synchronize()
    return start.elapsed_time(stop) / 1e3 / calls


def attention(length: int) -> dict[str, Any]:
    """Time the fused backend against torch's FLASH attention, bfloat16, causal."""
    torch.manual_seed(0)
    shape = (1, HEADS, length, WIDTH)
    query, key, value = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    weights, values = Rule(scale=WIDTH**-0.5), Static(value)

    def flash() -> object:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    plain = seconds(flash)
    numbers = seconds(lambda: forward(query, key, operands_of(values), weights, measure=True))
    whole = seconds(lambda: BACKENDS["fused"](query, key, values, weights))
    return {
        "flash_ms": round(1e3 * plain, 3),
        "per_query_ratio": round(numbers / plain, 3),
        "with_received_ratio": round(whole / plain, 3),
        "holds": numbers <= PER_QUERY_BOUND * plain and whole <= RECEIVED_BOUND * plain,
    }


@kernel
def evaluations(Out, times, SLOPE: tl.constexpr, BLOCK: tl.constexpr):  # noqa: ANN001, ANN201
    """Form many values in the registers of the GPU."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    hidden = at.to(tl.float32) * 1e-6
    total = hidden * 0.0
    for _turn in range(times):
        if SLOPE:
            value, slope = gelu_and_slope(hidden)
            total += value * slope
        else:
            total += gelu(hidden)
        hidden += 0.001
    tl.store(Out + at, total)


def rate(*, slope: bool) -> float:
    """Return how many values a second the GPU forms when they never leave its registers."""
    block, programs, times = 1024, 132 * 64, 256
    out = torch.empty(block * programs, device="cuda")
    taken = seconds(
        lambda: evaluations[(programs,)](out, times, SLOPE=slope, BLOCK=block, num_warps=4)
    )
    return block * programs * times / taken


def pairwise(length: int = 2048, width: int = 512, batch: int = 8) -> dict[str, Any]:
    """Time fused pairwise values, forward and backward, against the rate of their nonlinearity.

    The forward forms every visible value once, and the way back every value and slope twice.
    """
    torch.manual_seed(0)
    shape = (batch, 1, length, width)
    operands = [torch.randn(shape, device="cuda", requires_grad=True) for _ in range(4)]
    push, weights = torch.randn(shape, device="cuda"), Rule(scale=width**-0.5)

    def way(attend: Any, rows: int) -> Run:
        def run() -> object:
            few = [each[:rows] for each in operands]
            output = attend(few[0], few[1], Pairwise(few[2], few[3]), weights)
            return torch.autograd.grad(output, operands, push[:rows])

        return run

    taken = seconds(way(attend_pairwise, batch))
    peak = _peak(way(attend_pairwise, batch))
    full, full_peak = seconds(way(reference.attend, 1), 3), _peak(way(reference.attend, 1))
    formed = batch * length * (length + 1) / 2 * width
    roofline = formed / rate(slope=False) + 2 * formed / rate(slope=True)
    return {
        "seconds": round(taken, 5),
        "roofline_share": round(roofline / taken, 3),
        "faster_than_materialised": round(full * batch / taken, 2),
        "peak_mib": round(peak, 1),
        "materialised_mib_of_one": round(full_peak, 1),
        "holds": roofline >= ROOFLINE_BOUND * taken,
    }


def _peak(run: Run) -> float:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return (torch.cuda.max_memory_allocated() - before) / (1 << 20)


def training(preset_name: str) -> dict[str, Any]:
    """Return how many tokens a second one preset trains on, in bfloat16, at one small size."""
    from dva_lens.models.decoder import build
    from dva_lens.models.presets import Size, preset

    model = build(preset(preset_name, Size(**TRAINED)), 0).cuda()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    shape = (BATCH, TRAINED["context"])
    tokens = torch.randint(TRAINED["vocabulary"], shape, device="cuda")

    def step() -> object:
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(tokens)
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss

    torch.cuda.reset_peak_memory_stats()
    taken = seconds(step, STEPS)
    return {
        "tokens_per_second": round(tokens.numel() / taken),
        "peak_mib": round(torch.cuda.max_memory_allocated() / (1 << 20), 1),
        "holds": True,
    }
