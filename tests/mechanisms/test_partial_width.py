"""Attention on a share of the channels, while the others pass."""

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, causal, products, softmax, unit
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp, sharp_preset

import dva_lens as lens
from dva_lens.models.costs import match, parameters
from dva_lens.models.presets import preset
from dva_lens.recording import record

TOKENS = random_tokens()


def second_writing(model, width):
    """Return the logits, with one output matrix for what heads hand over and for what passes."""
    stream = model.embed.weight[TOKENS]
    for block in model.blocks:
        read = unit(stream) * block.ln1.weight
        heads = model.config.heads
        query, key, value = (
            (read[..., :width] @ made.weight.T).unflatten(-1, (heads, -1))
            for made in (block.attn.query, block.attn.key, block.attn.value)
        )
        pattern = softmax(products(query, key), causal(query, key))
        mixed = torch.einsum("bhqk,bkhd->bqhd", pattern, value).flatten(2)
        whole = torch.cat([mixed, read[..., width:]], -1)
        weight = torch.cat([block.attn.out.weight, block.attn.passed.weight], 1)
        stream = stream + whole @ weight.T
    return unit(stream) * model.ln_final.weight @ model.unembed.W_U


@pytest.mark.parametrize("width", [8, 31])
def test_a_partial_width_is_its_formula_with_every_gradient(width):
    model = sharp(SIZE.config(attended_width=width, feedforward="none"))
    assert_one_formula(model, model(TOKENS), second_writing(model, width))


def test_the_preset_attends_with_one_head_as_wide_as_what_it_reads():
    config = preset("partial", SIZE.changed(width=224))
    assert (config.attended_width, config.value_dim, config.qk_dim, config.heads) == (
        48,
        48,
        16,
        1,
    )


def test_all_channels_are_no_partial_width():
    assert SIZE.config(attended_width=32) == SIZE.config()


@torch.no_grad()
def test_weights_of_the_stream_are_zero_where_nothing_is_read():
    model = sharp_preset("partial")
    _, cache = model.run_with_cache(TOKENS)
    read = cache["normalized", 1, "ln1"]
    for name, weight in (("q", model.W_Q), ("k", model.W_K), ("v", model.W_V)):
        mapped = torch.einsum("bnm,hmd->bnhd", read, weight[1])
        torch.testing.assert_close(mapped, cache[name, 1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("switch", ["set_use_split_qkv_input", "set_use_attn_in"])
def test_what_passes_is_read_once_where_heads_have_copies(switch):
    model = sharp_preset("partial")
    plain = model(TOKENS)
    getattr(model, switch)(True)
    torch.testing.assert_close(model(TOKENS), plain, rtol=0, atol=1e-10)


@torch.no_grad()
def test_what_a_head_writes_holds_nothing_that_passed():
    model = tiny("partial").double()
    before = record(model, tokens_of([9]))
    model.blocks[-1].attn.passed.weight.mul_(3.0)
    after = record(model, tokens_of([9]))
    last, other = before.layers[-1], after.layers[-1]
    np.testing.assert_array_equal(last.written.norm, other.written.norm)
    np.testing.assert_array_equal(last.summary.entropy, other.summary.entropy)
    assert np.abs(last.stream.norm - other.stream.norm).max() > 1e-3


def test_the_bound_on_entropies_is_about_the_channels_that_are_read():
    model = sharp(SIZE.config(attended_width=8), scale=1.0)
    found = lens.collapse_bound(model, TOKENS[:1].numpy())
    _, cache = model.run_with_cache(TOKENS[:1])
    for layer, bound in enumerate(found["entropy_bound"].values):
        last = cache["pattern", layer][0, :, -1]
        assert (-(last * last.log()).sum(-1).detach().numpy() >= bound[:, 0]).all()
    model.blocks[0].attn.query.weight.data.mul_(2.0)
    wider = lens.collapse_bound(model, TOKENS[:1].numpy())["score_sigma"]
    np.testing.assert_allclose(wider[0], 2 * found["score_sigma"][0], rtol=1e-9)


def test_matching_by_width_keeps_the_share():
    config = SIZE.config(attended_width=8)
    found = match(config, 3 * parameters(config), vary="width")
    assert found.width > 40
    assert found.attended_width / found.width == pytest.approx(0.25, abs=0.02)
