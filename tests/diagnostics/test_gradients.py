"""Gradients on values against finite differences and against autograd written out by hand."""

import numpy as np
import pytest
import torch
from families import family
from small_models import random_tokens, sharp_preset
from torch.nn.functional import cross_entropy

import dva_lens as lens

IDS = random_tokens(1, 9)
STEP = 1e-5


def loss_with(model, layer, head, key, change):
    def hook(value, hook):
        value = value.clone()
        value[0, key, head] += change
        return value

    hooks = [(f"blocks.{layer}.attn.mix.hook_v", hook)]
    return float(model.run_with_hooks(IDS, return_type="loss", fwd_hooks=hooks))


@pytest.mark.parametrize("name", ["transformer", "gqa", "cla", "svformer", "dva", "dva-separable"])
@torch.no_grad()
def test_the_norm_is_that_of_finite_differences(name):
    model = sharp_preset(name, scale=3.0)
    found = lens.value_gradients(model, IDS.numpy())["value_gradient"]
    assert found.dims == ("layer", "kv_head", "sequence", "key")
    width = model.config.shape.value_dim
    for layer, key in ((0, 0), (2, 4)):
        slopes = []
        for channel in range(width):
            change = torch.zeros(width, dtype=torch.float64)
            change[channel] = STEP
            up, down = (loss_with(model, layer, 0, key, sign * change) for sign in (1, -1))
            slopes.append((up - down) / (2 * STEP))
        assert found[layer, 0, 0, key].item() == pytest.approx(np.linalg.norm(slopes), rel=1e-4)


def test_one_layer_by_hand():
    model = sharp_preset("transformer", scale=3.0)
    last = model.blocks[-1]
    _, cache = model.run_with_cache(IDS)
    prefix = f"blocks.{len(model.blocks) - 1}"
    pattern = cache[f"{prefix}.attn.hook_pattern"].detach()
    value = cache[f"{prefix}.attn.hook_v"].detach().requires_grad_()
    mixed = torch.einsum("bhqk,bkhd->bqhd", pattern, value)
    stream = cache[f"{prefix}.hook_resid_pre"].detach() + last.attn.out(mixed.flatten(2))
    stream = stream + last.mlp(last.ln2(stream))
    logits = model.unembed(model.ln_final(stream))
    loss = cross_entropy(logits[0, :-1], IDS[0, 1:])
    (gradient,) = torch.autograd.grad(loss, value)
    found = lens.value_gradients(model, IDS.numpy())["value_gradient"][-1, :, 0]
    np.testing.assert_allclose(found.values.T, gradient[0].norm(dim=-1), rtol=1e-6)


def test_the_last_key_is_pulled_at_by_nobody_and_padding_is_not_a_key():
    model = sharp_preset("transformer", scale=3.0)
    found = lens.value_gradients(model, [IDS[0].numpy(), IDS[0, :6].numpy()])["value_gradient"]
    assert (found[:, :, 0, -1] == 0).all()
    assert (found[:, :, 0, :-1] > 0).all()
    assert np.isnan(found[:, :, 1, 6:]).all()


def test_weights_are_left_without_gradients():
    model = sharp_preset("transformer")
    lens.value_gradients(model, IDS.numpy())
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(TypeError, match="models of this package, got a LlamaForCausalLM"):
        lens.value_gradients(family("llama"), IDS.numpy())
