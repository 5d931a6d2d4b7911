import pytest
import torch
from small_models import SIZE, random_tokens

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
