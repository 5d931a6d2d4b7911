"""Paths of growing length, against the model itself and models whose paths are known."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of

import dva_lens as lens

LENGTHS = (12, 12, 9)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]


def loss_of(model, row):
    return float(model(torch.as_tensor(row)[None], return_type="loss"))


@pytest.mark.parametrize("name", ["transformer", "resformer-identity", "gated", "dva", "gqa"])
@torch.no_grad()
def test_the_longest_paths_are_the_model_and_the_shortest_its_embedding(name):
    model = tiny(name, layers=2)
    before = model(torch.as_tensor(ROWS[0])[None])
    found = lens.path_lengths(model, ROWS)
    modules = sum(1 + (block.mlp is not None) for block in model.blocks)
    assert found.sizes["order"] == modules + 1
    for sequence, row in enumerate(ROWS):
        ids = torch.as_tensor(row)[None]
        direct = model.unembed(model.ln_final(model.embed(ids)))
        want = torch.nn.functional.cross_entropy(direct[0, :-1], ids[0, 1:])
        assert float(found["loss"][0, sequence]) == pytest.approx(float(want), rel=1e-5)
        assert float(found["loss"][-1, sequence]) == pytest.approx(loss_of(model, row), rel=1e-5)
    np.testing.assert_allclose(found["logit_share"].sum("order"), 1.0)
    assert torch.equal(model(torch.as_tensor(ROWS[0])[None]), before)


@torch.no_grad()
def test_a_path_through_layers_that_write_nothing_adds_nothing():
    model = tiny("transformer", layers=3)
    for block in model.blocks[1:]:
        block.attn.out.weight.zero_()
        for parameter in block.mlp.parameters():
            parameter.zero_()
    found = lens.path_lengths(model, ROWS)
    steps = np.abs(np.diff(found["loss"].values, axis=0)).max(1)
    assert (steps[:2] > 1e-3).all()  # the attention and the network of the first layer
    np.testing.assert_allclose(steps[2:], 0.0, atol=1e-9)


@torch.no_grad()
def test_attention_keeps_the_patterns_of_the_model():
    model = tiny("dva-static", layers=2)
    kept = lens.path_lengths(model, ROWS[:1])["loss"].values[1, 0]
    ids = torch.as_tensor(ROWS[0])[None]
    _, cache = model.run_with_cache(ids)
    stream = model.embed(ids)
    written = torch.zeros_like(stream)
    for layer, block in enumerate(model.blocks):  # all of them read the embedding alone
        attn = block.attn
        seen = cache[f"blocks.{layer}.attn.hook_pattern"]
        value = block.ln1(stream) @ attn.W_V[0]
        written = written + (seen[0, 0] @ value[0])[None] @ attn.W_O[0]
    logits = model.unembed(model.ln_final(stream + written))
    want = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:])
    assert kept == pytest.approx(float(want), rel=1e-5)


def test_models_of_others_are_refused():
    with pytest.raises(TypeError, match="no model of this package"):
        lens.path_lengths(family("gpt2"), ROWS)
