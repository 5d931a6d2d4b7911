"""Fused values of pairs: output and every gradient against the reference, at every mask kind."""

from dataclasses import replace

import pytest
import torch
from attentions import FUSED_RULES, Draws, attention
from rounding import gradient_limits, limits, within

from dva_lens.kernels import attention as forwards
from dva_lens.kernels.fused.gradients import attend_pairwise, runs, takes
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise

launch = pytest.importorskip("dva_lens.kernels.fused.launch", reason="Triton is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
OPERANDS = ("output", "query", "key", "query_part", "key_part", "sink")


@pytest.fixture(autouse=True)
def poisoned():
    """Fill with NaN whatever memory a kernel is given to write."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def drawn(rule, length, dtype, layout=(1, 2, 1), widths=(6, 8), seed=0):
    """Draw operands and a rule whose bias asks for no gradient."""
    draw = Draws(layout, length, dtype=dtype, seed=seed)
    operands = [draw.query(widths[0]), draw.key(widths[0]), draw.query(widths[1])]
    operands.append(draw.key(widths[1]))
    weights = FUSED_RULES[rule](draw)
    if weights.sink is not None:
        operands.append(weights.sink)
    upstream = draw.query(widths[1])
    return [each.to(DEVICE) for each in operands], weights, upstream.to(DEVICE)


def everything(attend, operands, weights, upstream):
    """Return the output and the gradient of every operand, by name."""
    leaves = [each.detach().requires_grad_() for each in operands]
    query, key, a, b, *sink = leaves
    moved = {
        name: each.to(DEVICE)
        for name, each in vars(weights).items()
        if isinstance(each, torch.Tensor)
    }
    rule = replace(weights, **{**moved, **({"sink": sink[0]} if sink else {})})
    out = attend(query, key, Pairwise(a, b), rule)
    found = [out.detach(), *torch.autograd.grad(out, leaves, upstream)]
    return dict(zip(OPERANDS, found, strict=False))


def slack_of(operands, weights, upstream, dtype):
    """Return how far rounding in a dtype may take the output and every gradient."""
    query, key, a, b, *_ = (each.cpu().double() for each in operands)
    inputs = query, key, Pairwise(a, b), weights
    slopes = gradient_limits(*inputs, upstream=upstream.cpu().double(), dtype=dtype)
    return {"output": limits(*inputs, dtype=dtype)["output"], **slopes}


def compare(*arguments, **settings):
    single = drawn(*arguments, torch.float32, **settings)
    want = everything(reference.attend, *widened(single))
    slack = slack_of(*single, torch.float32)
    for name, ours in everything(attend_pairwise, *single).items():
        assert ours.dtype == torch.float32
        within(ours, want[name], slack[name], name)


def widened(given):
    operands, weights, upstream = given
    return [each.double() for each in operands], weights, upstream.double()


@pytest.mark.parametrize("rule", FUSED_RULES)
def test_every_mask_kind(rule, seed):
    compare(rule, 21, layout=(1, 1, 1), seed=seed)


@pytest.mark.parametrize(
    ("length", "rule"), [(1, "causal"), (16, "bidirectional"), (33, "causal")]
)
def test_every_length(rule, length, seed):
    compare(rule, length, layout=(1, 1, 1), seed=seed)


@pytest.mark.parametrize("widths", [(16, 64), (40, 24), (128, 128)])
def test_every_width(widths, seed):
    compare("window", 19, widths=widths, layout=(1, 1, 1), seed=seed)


@pytest.mark.parametrize("layout", [(2, 4, 2), (1, 3, 1)])
def test_groups_of_heads_share_keys(layout, seed):
    compare("packed", 13, layout=layout, seed=seed)


def test_half_precision_is_computed_in_single():
    (query, key, a, b), weights, upstream = drawn("causal", 17, torch.float16)
    half = everything(attend_pairwise, (query, key, a, b), weights, upstream)
    single = [each.float() for each in (query, key, a, b)]
    wide = everything(attend_pairwise, single, weights, upstream.float())
    for name, ours in half.items():
        assert torch.equal(ours, wide[name].half()), name


def test_tiles_of_other_sizes_give_the_same(monkeypatch, seed):
    operands = drawn("packed", 29, torch.float32, layout=(1, 1, 1), seed=seed)
    want, slack = everything(attend_pairwise, *operands), slack_of(*operands, torch.float32)
    monkeypatch.setattr(launch, "tiles_of", lambda *_: launch.Tiles(32, 16))
    for name, ours in everything(attend_pairwise, *operands).items():
        within(ours, want[name], 2 * slack[name], name)


def test_two_runs_are_the_same_to_the_bit():
    operands = drawn("sink", 21, torch.float32)
    first, second = (everything(attend_pairwise, *operands) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_bias_that_wants_a_gradient_is_refused():
    query, key, values, weights = attention(
        Draws((1, 1, 1), 3, dtype=torch.float32, grad=True), "pairwise", "bias"
    )
    with pytest.raises(ValueError, match="no gradient to a bias of pairs"):
        attend_pairwise(query, key, values, weights)


def test_the_forward_of_models_is_fused_for_what_the_kernels_take(monkeypatch):
    part = torch.zeros(1, 1, 5, 8)
    values, rule = Pairwise(part, part + 1), Rule(scale=1.0)
    assert takes(part, values, rule)
    assert not takes(part.double(), values, rule)
    assert not takes(torch.zeros(1, 1, 5, 1025), values, rule)
    assert not takes(part, values, replace(rule, bias=torch.zeros(1, 1, 5, 5).requires_grad_()))
    assert runs(part, values, rule) == part.is_cuda
    monkeypatch.setattr(forwards, "runs", takes)
    query = torch.randn(1, 1, 5, 4, device=DEVICE)
    values = Pairwise(part.to(DEVICE), part.to(DEVICE) + 1)
    found = forwards.attend(query, query, values, rule)
    torch.testing.assert_close(found.cpu(), torch.nn.functional.gelu(part + 1))
