"""Heads taken out, against the same done by hand with hooks and with weights."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.ablation import REPLACEMENTS

LENGTHS = (12, 9, 12)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]
IDS = np.random.default_rng(0).integers(3, 61, (2, 12))


def heads_of(model, layer):
    """Return what the heads of a layer attend to on average, by its hook."""
    name = f"blocks.{layer}.attn.mix.hook_z"
    held = [model.run_with_cache(torch.as_tensor(row)[None])[1][name][0] for row in ROWS]
    return torch.cat(held).mean(0)


def loss_without(model, row, layer, head, by):
    mean = heads_of(model, layer)[head]

    def hook(attended, hook):
        attended[:, :, head] = 0.0 if by == "zero" else mean
        return attended

    hooks = [(f"blocks.{layer}.attn.mix.hook_z", hook)]
    ids = torch.as_tensor(row)[None]
    return float(model.run_with_hooks(ids, return_type="loss", fwd_hooks=hooks))


@pytest.mark.parametrize("by", REPLACEMENTS)
@pytest.mark.parametrize("name", ["transformer", "gqa", "gated", "dva"])
@torch.no_grad()
def test_a_head_is_worth_what_the_loss_grows_by_without_it(name, by):
    model = tiny(name, layers=2)
    found = lens.head_importance(model, ROWS, by=by)
    heads = model.config.heads
    assert found["head_importance"].shape == (2, heads, 3)
    for sequence, row in enumerate(ROWS):
        plain = float(model(torch.as_tensor(row)[None], return_type="loss"))
        assert found["loss"][sequence].item() == pytest.approx(plain, rel=1e-5)
        for layer, head in ((0, 0), (1, heads - 1)):
            want = loss_without(model, row, layer, head, by) - plain
            got = found["head_importance"][layer, head, sequence].item()
            assert got == pytest.approx(want, abs=2e-5 * max(1, plain))


@pytest.mark.parametrize("name", ["llama", "qwen3"])
@torch.no_grad()
def test_a_head_of_transformers_is_what_its_columns_of_the_output_weigh(name):
    model = family(name)
    found = lens.head_importance(model, IDS)
    weight = model.model.layers[1].self_attn.o_proj.weight
    before, width = weight.clone(), weight.shape[1] // 4
    weight[:, 2 * width : 3 * width] = 0.0
    try:
        for sequence, row in enumerate(IDS):
            ids = torch.as_tensor(row)[None]
            grown = float(model(ids, labels=ids).loss) - found["loss"][sequence].item()
            got = found["head_importance"][1, 2, sequence].item()
            assert got == pytest.approx(grown, abs=1e-5)
    finally:
        weight.copy_(before)


def test_the_model_is_left_as_it_was():
    model = tiny("transformer", layers=2)
    ids = torch.as_tensor(ROWS[0])[None]
    before = model(ids)
    lens.head_importance(model, ROWS)
    assert torch.equal(model(ids), before)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="by must be 'zero' or 'mean', got 'noise'"):
        lens.head_importance(tiny("transformer"), ROWS, by="noise")
    with pytest.raises(TypeError, match="does not predict a next token"):
        lens.head_importance(family("bert"), IDS)
