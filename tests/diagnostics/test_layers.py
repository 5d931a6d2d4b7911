"""Layers against each other, with whole patterns of the model's own hooks as the oracle."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.layers import POSITIONS, _spread
from dva_lens.statistics.extended.similarity import linear_cka

LENGTHS = (16, 11)
IDS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]
MODELS = ("transformer", "gqa", "learned-sink", "dva")


def patterns(model, ids):
    """Return the patterns of all layers as (layer, head, query, key)."""
    _, cache = model.run_with_cache(torch.as_tensor(ids)[None])
    held = [cache[f"blocks.{n}.attn.hook_pattern"][0] for n in range(len(model.blocks))]
    return torch.stack(held).detach().double().numpy()


@pytest.fixture(params=MODELS, scope="module")
def model(request):
    return tiny(request.param)


def test_patterns_are_compared_as_if_they_were_whole(model):
    found = lens.layer_similarity(model, IDS)
    assert found["pattern_similarity"].dims == ("sequence", "layer", "other_layer")
    for sequence, ids in enumerate(IDS):
        flat = patterns(model, ids).reshape(3, -1)
        size = np.linalg.norm(flat, axis=1)
        want = flat @ flat.T / np.outer(size, size)
        np.testing.assert_allclose(found["pattern_similarity"][sequence], want, atol=1e-5)


def test_states_are_compared_by_unbiased_cka(model):
    found = lens.layer_similarity(model, IDS[1:])["cka"][0].values
    _, cache = model.run_with_cache(torch.as_tensor(IDS[1])[None])
    states = [cache[f"blocks.{n}.hook_resid_post"][0].detach().numpy() for n in range(3)]
    want = [[linear_cka(one, other) for other in states] for one in states]
    np.testing.assert_allclose(found, want, atol=1e-4)
    np.testing.assert_allclose(np.diagonal(found), 1.0, atol=1e-6)


def test_rollout_is_the_product_of_the_mixed_patterns(model):
    found = lens.rollout(model, IDS, inputs=(0, 4))
    for sequence, ids in enumerate(IDS):
        whole = np.eye(len(ids))
        for layer, pattern in enumerate(patterns(model, ids)):
            mixed = pattern.mean(0) + np.eye(len(ids))
            whole = mixed / mixed.sum(-1, keepdims=True) @ whole
            for column, place in enumerate((0, 4)):
                want = whole[place:, place].mean()
                got = found["rollout"][sequence, layer, column].item()
                assert got == pytest.approx(want, abs=1e-6)


def test_its_reference_is_the_rollout_of_uniform_attention():
    found = lens.rollout(tiny("transformer", sharp=1e-3), IDS[:1], inputs=(0, 3))
    np.testing.assert_allclose(found["rollout"], found["rollout_reference"], atol=1e-5)
    assert (found["rollout"][0, :, 0].diff("layer") > 0).all()


@pytest.mark.parametrize(
    ("name", "width"), [("bert", 13), ("mistral", 5)], ids=["both directions", "window"]
)
def test_its_reference_goes_by_what_the_model_lets_a_query_see(name, width):
    model, ids = family(name), np.random.default_rng(0).integers(3, 61, (1, 13))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "query" in key or "q_proj" in key:
                weight.zero_()
    found = lens.rollout(model, ids)
    place = np.arange(13)
    distance = place[:, None] - place
    seen = np.abs(distance) < width if name == "bert" else (distance >= 0) & (distance < width)
    mixed = (seen / seen.sum(-1, keepdims=True) + np.eye(13)) / 2
    want = [mixed[:, 0].mean(), (mixed @ mixed)[:, 0].mean()]
    np.testing.assert_allclose(found["rollout_reference"][0, :, 0], want, atol=1e-12)
    np.testing.assert_allclose(found["rollout"], found["rollout_reference"], atol=1e-6)


def test_models_of_transformers_are_compared_too():
    ids = np.random.default_rng(0).integers(3, 61, (2, 12))
    found = lens.layer_similarity(family("gpt-oss"), ids)
    assert np.isfinite(found["pattern_similarity"]).all()
    assert (found["pattern_similarity"][:, 0, 1] < 1).all()
    assert np.isfinite(lens.rollout(family("llama"), ids)["rollout"]).all()


def test_inputs_outside_a_sequence_are_refused():
    with pytest.raises(ValueError, match=r"positions from 0 to 10 .* got \[13\]"):
        lens.rollout(tiny("transformer"), IDS, inputs=(13,))


def test_a_long_text_is_compared_on_spread_positions():
    found = _spread(5000)
    assert len(found) == POSITIONS
    assert (found[0], found[-1]) == (0, 4999)
    assert _spread(7).tolist() == list(range(7))
