"""Whether values depend on the pair: what the forms say beforehand is read off real models."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of
from scipy import linalg
from small_models import sharp

import dva_lens as lens
from dva_lens.diagnostics.pooling import QUERIES
from dva_lens.models.presets import Size, preset

SIZE = Size(layers=2, width=16, heads=2, vocabulary=500, context=48)
IDS = np.random.default_rng(0).integers(0, 500, (24, 48))
STATIC = ("transformer", "gqa", "cla", "resformer-learnable", "dva-static")
COLLAPSING = ("dva-query-gate", "dva-separable", "dva-value-mlp")
SHORT = tokens_of((40,) * 8)
PAIRED = ("dva", "dva-pair-gate", "dva-experts", "relative-values", "query-value-interaction")


def diagnosed(name, **given):
    model = sharp(preset(name, SIZE), scale=20.0)
    return lens.dynamic_diagnostics(model, list(IDS), **given)


@pytest.mark.parametrize("name", STATIC)
def test_static_values_need_one_head_and_an_affine_map(name):
    found = diagnosed(name)
    assert found["operator_rank"].dims == ("layer", "head")
    assert (found["operator_rank"] <= 1.0).all()
    np.testing.assert_allclose(found["non_affine_share"], 0.0, atol=1e-10)


@pytest.mark.parametrize("name", COLLAPSING)
def test_values_that_collapse_need_at_most_one_head_and_a_constant(name):
    found = diagnosed(name)
    assert (found["operator_rank"] <= 1.0 + 1 / SIZE.width).all()
    affine = found["non_affine_share"]
    if name == "dva-query-gate":
        np.testing.assert_allclose(affine, 0.0, atol=1e-10)
    else:
        assert (affine > 0.01).all()


@pytest.mark.parametrize("name", PAIRED)
def test_values_of_pairs_need_more_than_one_static_head(name):
    found = diagnosed(name)
    assert (found["operator_rank"] > 1.0).any()
    assert (found["non_affine_share"] > 0.01).all()
    assert (found["non_affine_share"] < 1.1).all()


def test_pooled_values_are_those_of_the_model_text_by_text():
    model, ids = tiny("dva", context=300, layers=2), tokens_of((300,))
    found = lens.dynamic_diagnostics(model, list(ids))
    everywhere = torch.arange(300)
    values = model.dynamic_values(torch.as_tensor(ids), 1, everywhere[:QUERIES], everywhere)
    flat = np.moveaxis(values[0, 0].detach().double().numpy(), 1, 2).reshape(-1, 300)
    energy = linalg.svdvals(flat) ** 2
    want = ((np.cumsum(energy) / energy.sum() < 0.99).sum() + 1) / 32
    assert found["operator_rank"][1, 0].item() == pytest.approx(want, rel=0.1)


def test_the_seed_decides_what_is_drawn_and_nothing_else():
    one, same, other = (diagnosed("dva", seed=seed) for seed in (0, 0, 1))
    assert one.equals(same)
    np.testing.assert_allclose(one["operator_rank"], other["operator_rank"], atol=2 / SIZE.width)


def test_too_little_text_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match="256 tokens are needed, got 80 in all texts"):
        lens.dynamic_diagnostics(tiny("dva", context=40), list(SHORT[:2]))


def test_models_of_transformers_have_static_values():
    with pytest.raises(TypeError, match="values of a LlamaForCausalLM are static"):
        lens.dynamic_diagnostics(family("llama"), list(IDS))


def test_the_model_is_left_as_it_was():
    model = tiny("dva", context=40)
    before = [block.attn.attend for block in model.blocks]
    lens.dynamic_diagnostics(model, list(SHORT))
    assert [block.attn.attend for block in model.blocks] == before
