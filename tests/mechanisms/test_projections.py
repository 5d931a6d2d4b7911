from itertools import product
from math import exp

import pytest
import torch
from materialised import assert_one_formula, second_writing
from small_models import SIZE, random_tokens, sharp, sharp_preset

from dva_lens.mechanisms.projections.hashed import HashedProjection
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset


@pytest.fixture
def linear():
    return build(preset("sigma-reparam", SIZE)).double().blocks[0].mlp.up


def test_the_start_is_the_plain_weight(linear):
    torch.testing.assert_close(linear.weight, linear.raw, rtol=1e-5, atol=1e-9)
    largest = torch.linalg.matrix_norm(linear.raw, 2)
    torch.testing.assert_close(linear.gain, largest, rtol=1e-5, atol=0)


def test_the_same_seed_starts_as_the_plain_model_does():
    tokens = random_tokens()
    plain, other = (build(preset(n, SIZE)).eval() for n in ("transformer", "sigma-reparam"))
    torch.testing.assert_close(other(tokens), plain(tokens), rtol=0, atol=1e-5)


def test_the_spectral_norm_is_the_gain_whatever_the_weight(linear):
    inputs = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        linear.raw.normal_(generator=torch.Generator().manual_seed(1))
        linear.gain.fill_(1.7)
        linear.train()
        for _ in range(300):
            linear(inputs)
    found = torch.linalg.matrix_norm(linear.weight, 2)
    torch.testing.assert_close(found, torch.tensor(1.7).double(), rtol=1e-6, atol=0)


def test_power_iteration_happens_in_training_only(linear):
    inputs = torch.ones(1, 32, dtype=torch.float64)
    with torch.no_grad():
        linear.raw.normal_(generator=torch.Generator().manual_seed(1))
    before = linear.right.clone()
    linear.eval()(inputs)
    _ = linear.weight
    assert torch.equal(linear.right, before)
    linear.train()(inputs)
    assert not torch.equal(linear.right, before)


def test_scaling_the_weight_changes_nothing_and_has_no_gradient(linear):
    inputs = torch.ones(1, 32, dtype=torch.float64)
    with torch.no_grad():
        linear.raw.normal_(generator=torch.Generator().manual_seed(1))
        linear.train()
        for _ in range(300):
            linear(inputs)
    linear.eval()
    out = linear(inputs)
    out.square().sum().backward()
    along = (linear.raw.grad * linear.raw).sum()
    torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=1e-6)
    with torch.no_grad():
        linear.raw.mul_(7.0)
        torch.testing.assert_close(linear(inputs), out.detach())


def least_entropy(norm, count):
    """Return the least entropy of a softmax over logits of this norm (2303.06296, theorem 3.1)."""
    fall = torch.exp(-norm * (count / (count - 1)) ** 0.5)
    rest = (count - 1) * fall
    return torch.log1p(rest) + norm * (count * (count - 1)) ** 0.5 * fall / (1 + rest)


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0])
def test_gains_alone_keep_entropy_from_collapsing(gain):
    """Rotary position turns queries and keys, so products of gains and lengths bound scores."""
    model = build(preset("sigma-reparam", SIZE)).double().eval()
    with torch.no_grad():
        for block in model.blocks:
            for each in (block.attn.query, block.attn.key):
                each.raw.normal_(generator=torch.Generator().manual_seed(2))
                each.calibrate()
                each.gain.fill_(gain)
        _, cache = model.run_with_cache(random_tokens())
    slack = []
    for layer, block in enumerate(model.blocks):
        stream = cache["resid_pre", layer]
        read = stream / (stream.square().mean(-1, keepdim=True) + 1e-5).sqrt() * block.ln1.weight
        lengths = read.norm(dim=-1)
        scores = gain**2 * lengths[:, :, None] * lengths[:, None] / 16**0.5
        pattern = cache["pattern", layer]
        entropy = torch.special.entr(pattern).sum(-1)
        for row in range(1, 13):
            bound = least_entropy(scores[:, row, : row + 1].norm(dim=-1), row + 1)
            assert (entropy[:, :, row] >= bound[:, None]).all()
            slack.append((entropy[:, :, row] - bound[:, None]).min())
    assert min(slack) < 1  # the bound says something


def test_the_bound_is_reached_by_one_high_logit():
    logits = torch.full((7,), -0.5).double()
    logits[3] = 3.0
    norm, entropy = logits.norm(), torch.special.entr(logits.softmax(0)).sum()
    torch.testing.assert_close(least_entropy(norm, 7), entropy)


def by_softmax_over_corners(made, stream, start=None):
    """Look up what the likeliest of all corners holds, times its share in a softmax over all."""
    del start
    unit = stream / (stream.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    total, row = 0.0, 0
    for chunk in unit.split(made.bits, dim=-1):
        width = chunk.shape[-1]
        corners = torch.tensor([each[::-1] for each in product((-1.0, 1.0), repeat=width)])
        share = (chunk @ corners.double().T / made.temperature).softmax(-1)
        table = made.tables[row : row + 2**width]
        total = total + share.amax(-1, keepdim=True) * table[share.argmax(-1)]
        row += 2**width
    shifted = total if made.bias is None else total + made.bias
    return shifted.unflatten(-1, (2, -1))


@pytest.mark.parametrize(("bits", "temperature", "biases"), [(5, 1.0, False), (2, 0.4, True)])
def test_look_ups_are_their_formula_with_every_gradient(bits, temperature, biases):
    chosen = {"kind": "hashed", "bits": bits, "temperature": temperature}
    model = sharp(SIZE.config(projections=chosen, feedforward="none", biases=biases))
    assert len(model.blocks[0].attn.query.tables) == {5: 6 * 32 + 4, 2: 16 * 4}[bits]
    tokens = random_tokens()
    expected = second_writing(
        model, tokens, made=by_softmax_over_corners, valued=by_softmax_over_corners
    )
    assert_one_formula(model, model(tokens), expected)


def test_a_look_up_by_hand():
    """Three channels of root mean square one: a table of four rows, and one of two."""
    made = HashedProjection(bits=2).build(3, 1, bias=False).double()
    with torch.no_grad():
        made.tables.copy_(torch.tensor([[1.0], [10.0], [100.0], [1000.0], [0.5], [7.0]]))
    size = (3 / (1 + 4 + 4)) ** 0.5
    one, two = 1 / (1 + exp(-2 * size)), 1 / (1 + exp(-4 * size))
    found = made(torch.tensor([[1.0, -2.0, 2.0], [-1.0, 2.0, -2.0]]).double())
    expected = torch.tensor([[10 * one * two + 7 * two], [100 * one * two + 0.5 * two]])
    torch.testing.assert_close(found, expected.double(), rtol=1e-5, atol=0)


def test_look_ups_have_no_weights_and_heads_write_linearly_still():
    model = sharp_preset("hashed")
    for name in ("W_Q", "W_K", "W_V", "OV", "QK"):
        with pytest.raises(LookupError, match="of layer 0 are looked up in tables"):
            getattr(model, name)
    for name in ("W_in", "W_out", "W_gate"):
        with pytest.raises(LookupError, match=f"{name} is looked up in tables"):
            getattr(model.blocks[1].mlp, name)
    names = {name.split(".")[-1] for name in model.tl_parameters()}
    assert names.isdisjoint({"W_Q", "W_K", "W_V", "W_in", "W_out"})
    _, cache = model.run_with_cache(random_tokens())
    written = torch.einsum("bqhd,hdm->bqm", cache["z", 1], model.W_O[1])
    torch.testing.assert_close(cache["attn_out", 1], written, rtol=0, atol=1e-12)


def test_heads_with_inputs_of_their_own_look_up_by_them():
    model, tokens = sharp_preset("hashed"), random_tokens()
    model.set_use_split_qkv_input(True)

    def other(inputs, hook):
        return torch.cat([inputs[:, :, :1], inputs[:, :, 1:].flip(1)], dim=2)

    _, before = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=[("blocks.1.attn.hook_k_input", other)]):
        _, after = model.run_with_cache(tokens)
    one, two = before["k", 1], after["k", 1]
    torch.testing.assert_close(one[:, :, 0], two[:, :, 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(one[:, :, 1].flip(1), two[:, :, 1], rtol=0, atol=1e-12)
