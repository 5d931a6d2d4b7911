"""The fused backend against the reference: every mask kind, odd lengths, widths and dtypes.

Where no GPU is, the kernels run in Triton's interpreter.
"""

import subprocess
import sys
from dataclasses import fields, replace

import pytest
import torch
from attentions import FORMS, FUSED_RULES, Draws, attention, rule, strong_sink
from rounding import agree, widened
from shapes import Largest

from dva_lens.kernels.backends import BACKENDS, choose
from dva_lens.kernels.fused import backend, guards
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static

launch = pytest.importorskip("dva_lens.kernels.fused.launch", reason="Triton is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PER_KEY = ("static", "query-gate", "separable")
PER_PAIR = ("pairwise", "pair-gate")
SINGLE = torch.float32


@pytest.fixture(autouse=True)
def poisoned():
    """Fill with NaN whatever memory a kernel is given to write."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def small_tiles(monkeypatch):
    """Cut short lengths into many tiles, so that some are skipped and some are all visible."""
    monkeypatch.setattr(launch, "tiles_of", lambda *_: launch.Tiles(16, 16))


def on_device(inputs):
    query, key, values, weights = inputs
    moved = {name: each.to(DEVICE) for name, each in vars(values).items()}
    rule = {
        name: each.to(DEVICE)
        for name, each in vars(weights).items()
        if isinstance(each, torch.Tensor)
    }
    return query.to(DEVICE), key.to(DEVICE), type(values)(**moved), replace(weights, **rule)


def numbers(found):
    output, summary = found
    named = {each.name: getattr(summary, each.name) for each in fields(summary)}
    return {name: each.cpu() for name, each in {"output": output, **named}.items()}


def compare(given):
    """Hold every number of the fused backend to the reference in float64 on the same inputs."""
    found = numbers(backend.fused(*on_device(given)))
    assert found["output"].dtype == given[0].dtype
    assert {each.dtype for name, each in found.items() if name != "output"} == {
        torch.float32,
        torch.int64,
    }
    agree(found, numbers(BACKENDS["reference"](*widened(given))), given)


@pytest.mark.parametrize("weights", FUSED_RULES)
def test_every_mask_kind(weights, seed):
    compare(attention(Draws((2, 2, 1), 37, dtype=SINGLE, seed=seed), "static", weights))


@pytest.mark.parametrize("weights", FUSED_RULES)
@pytest.mark.usefixtures("small_tiles")
def test_tiles_that_are_skipped_or_seen_whole(weights, seed):
    compare(attention(Draws((1, 1, 1), 57, dtype=SINGLE, seed=seed), "static", weights))


@pytest.mark.parametrize("length", [1, 64, 70, 131])
@pytest.mark.parametrize("weights", ["causal", "bidirectional", "packed"])
def test_every_length(weights, length, seed):
    compare(attention(Draws((1, 3, 1), length, dtype=SINGLE, seed=seed), "static", weights))


@pytest.mark.parametrize("form", PER_KEY[1:] + PER_PAIR)
@pytest.mark.parametrize("weights", ["causal", "packed", "sink-and-number", "sigmoid", "bias"])
def test_every_form_of_values(form, weights, seed):
    layout, length = ((1, 1, 1), 21) if form in PER_PAIR else ((1, 4, 2), 37)
    compare(attention(Draws(layout, length, dtype=SINGLE, seed=seed), form, weights))


@pytest.mark.parametrize("widths", [(16, 16), (24, 40), (64, 128), (128, 64), (128, 128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_every_width_of_heads(widths, dtype, seed):
    width, value_width = widths
    draw = Draws((1, 2, 1), 45, dtype=dtype, seed=seed)
    rule = Rule(scale=width**-0.5, window=33, sink=draw(2))
    compare((draw.query(width), draw.key(width), Static(draw.key(value_width)), rule))


@pytest.mark.parametrize("weights", ["causal", "softcap", "left-padded", "sigmoid", "bias"])
def test_half_precision(weights, seed):
    compare(attention(Draws((1, 2, 1), 70, dtype=torch.float16, seed=seed), "static", weights))


@pytest.mark.parametrize("settings", [{}, {"causal": False}, {"window": 70}, {"sink": 1.0}])
def test_what_a_strong_sink_leaves_keeps_its_digits(settings, seed):
    draw = Draws((1, 1, 1), 150, dtype=SINGLE, seed=seed)
    if "sink" in settings:
        settings = {"sink": draw(1)}
    compare((*strong_sink(draw, 6, 16.0), Static(draw.key(4)), rule(**settings)))


def test_memory_is_linear_in_length():
    length = 500
    inputs = attention(Draws((1, 1, 1), length, dtype=torch.float32), "static", "causal")
    with Largest() as seen:
        backend.fused(*on_device(inputs))
    assert seen.entries <= 16 * length


def test_projections_are_read_where_they_lie():
    query, key, values, weights = attention(
        Draws((2, 4, 2), 19, dtype=torch.float32), "static", "causal"
    )
    split = [
        each.transpose(1, 2).contiguous().transpose(1, 2) for each in (query, key, values.value)
    ]
    want = numbers(backend.fused(*on_device((query, key, values, weights))))
    found = numbers(backend.fused(*on_device((*split[:2], Static(split[2]), weights))))
    assert all(torch.equal(found[name], want[name]) for name in set(want) - {"log_sum_exp"})


@pytest.mark.parametrize("sink", [None, torch.tensor([0.5, -1.0])])
def test_a_query_that_sees_nothing_reads_zero(sink):
    draw = Draws((1, 2, 1), 6, dtype=torch.float32)
    weights = Rule(scale=1.0, sink=sink, segments=torch.tensor([[0, 0, 1, 1, 1, 0]]))
    inputs = draw.query(), draw.key(), Static(draw.key()), weights
    output, found = backend.fused(*on_device(inputs))
    blind = [0, 1, 5]
    assert output[:, :, blind].abs().sum() == 0
    for each in (found.entropy, found.row_mass, found.largest, found.value_norm, found.self_mass):
        assert each[..., blind].abs().sum() == 0
    want = torch.full((2,), -torch.inf) if sink is None else sink
    got = found.log_sum_exp[0][:, blind].cpu()
    torch.testing.assert_close(got, want[:, None].expand(2, 3))
    assert found.received[..., blind].abs().sum() == 0


def test_a_bias_may_hide_keys_altogether():
    draw = Draws((1, 2, 1), 6, dtype=torch.float32)
    bias = torch.zeros(1, 1, 6, 6)
    bias[..., 4, :] = -torch.inf
    bias[..., 5, :3] = -torch.inf
    inputs = draw.query(), draw.key(), Static(draw.key()), Rule(scale=1.0, bias=bias)
    output, found = backend.fused(*on_device(inputs))
    assert output[:, :, 4].abs().sum() == 0
    assert found.largest[..., 4].abs().sum() == 0
    assert (found.first_mass[..., 5] == 0).all()
    torch.testing.assert_close(found.row_mass[..., 5].cpu(), torch.ones(1, 2))


def test_numbers_that_are_not_finite_are_named():
    draw = Draws((1, 2, 1), 6, dtype=torch.float32)
    query, key, values = draw.query(), draw.key(), Static(draw.key())
    key[0, 0, 2, 1] = torch.nan
    with pytest.raises(ValueError, match="key holds NaN or infinite"):
        backend.fused(*on_device((query, key, values, Rule(scale=1.0))))


def test_what_is_not_known_is_refused_with_another_way():
    inputs = attention(Draws((1, 2, 1), 6, dtype=torch.float32), "experts", "causal")
    with pytest.raises(TypeError, match=r"no values of type Experts; choose .*'blocked'"):
        backend.fused(*on_device(inputs))
    with pytest.raises(TypeError, match=r"float32, got torch\.float64; choose .*'blocked'"):
        backend.fused(*on_device(attention(Draws((1, 2, 1), 6), "static", "causal")))
    draw = Draws((1, 1, 1), 3, dtype=torch.float32)
    with pytest.raises(ValueError, match="up to 256 channels, got 300"):
        backend.fused(
            *on_device((draw.query(300), draw.key(300), Static(draw.key(4)), Rule(scale=1.0)))
        )


def test_a_machine_without_triton_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(guards, "installed", lambda: False)
    inputs = attention(Draws((1, 1, 1), 3, dtype=torch.float32), "static", "causal")
    with pytest.raises(ImportError, match=r"pip install 'dva-lens\[gpu\]'"):
        backend.fused(*inputs)


def test_a_cpu_is_refused_unless_it_interprets(monkeypatch):
    monkeypatch.setattr(guards, "interpreted", lambda: False)
    inputs = attention(Draws((1, 1, 1), 3, dtype=torch.float32), "static", "causal")
    with pytest.raises(RuntimeError, match="runs on NVIDIA GPUs, got tensors on cpu"):
        backend.fused(*inputs)


LEFT = ("expert-gate", "relative", "interacting", "experts")
"""Forms that the fused kernels leave to the blocked ones."""


def test_auto_is_fused_on_a_gpu_for_what_it_takes():
    for form in FORMS:
        query, _, values, _ = attention(Draws(dtype=torch.float32), form, "causal")
        chosen = choose("auto", "cuda", query=query, values=values)
        assert chosen == ("blocked" if form in LEFT else "fused")
        assert choose("auto", "cuda", query=query.double(), values=values) == "blocked"
    assert choose("auto", "cuda") == "fused"


def test_nothing_imports_triton_before_it_is_needed():
    code = "import sys, dva_lens.kernels.backends; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
