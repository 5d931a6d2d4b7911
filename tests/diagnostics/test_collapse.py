"""The bound of the theorem on models that ran: it holds, and is what the weights say."""

import numpy as np
import pytest
import torch
from families import family
from small_models import SIZE, random_tokens, sharp, sharp_preset

import dva_lens as lens
from dva_lens.mechanisms.positions.learned import Learned

IDS = random_tokens(2, 13).numpy()


def entropies(model, row, layer):
    _, cache = model.run_with_cache(torch.as_tensor(row)[None])
    pattern = cache[f"blocks.{layer}.attn.hook_pattern"][0].detach().numpy()
    return -(pattern * np.log(np.where(pattern > 0, pattern, 1.0))).sum(-1)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("name", ["transformer", "gpt2-style", "gqa", "dva"])
def test_no_row_over_all_keys_is_below_the_bound(name, scale):
    model = sharp_preset(name, scale=scale)
    found = lens.collapse_bound(model, IDS)["entropy_bound"]
    assert found.dims == ("layer", "head", "sequence")
    for layer in range(3):
        for sequence, row in enumerate(IDS):
            last = entropies(model, row, layer)[:, -1]
            assert (last >= found[layer, :, sequence].values - 1e-12).all()
    assert (found >= 0).all()
    assert (found <= np.log(13) + 1e-12).all()


def test_the_bound_falls_as_the_weights_grow():
    bounds = [
        lens.collapse_bound(sharp_preset("gpt2-style", scale=scale), IDS)["entropy_bound"].mean()
        for scale in (0.1, 1.0, 4.0)
    ]
    assert bounds[0] > bounds[1] > bounds[2]


@torch.no_grad()
def test_sigma_by_hand_without_rotary_positions():
    model = sharp(SIZE.config(positions=Learned()), scale=1.0)
    attention = model.blocks[0].attn
    _, cache = model.run_with_cache(torch.as_tensor(IDS[:1]))
    states = model.blocks[0].ln1(cache["blocks.0.hook_resid_pre"])[0]
    product = torch.linalg.matrix_norm(attention.W_K[1] @ attention.W_Q[1].T, ord=2)
    largest = product * torch.linalg.matrix_norm(states, ord=2) ** 2
    found = lens.collapse_bound(model, IDS)["score_sigma"]
    want = float(largest) / attention.W_Q.shape[-1] ** 0.5
    assert found[0, 1, 0].item() == pytest.approx(want, rel=1e-9)


@torch.no_grad()
def test_shifts_of_queries_and_keys_are_weights_of_a_constant():
    model = sharp_preset("gpt2-style", scale=1.0)
    before = lens.collapse_bound(model, IDS)["score_sigma"]
    model.blocks[0].attn.query.bias.mul_(50.0)
    after = lens.collapse_bound(model, IDS)["score_sigma"]
    assert (after[0] > before[0]).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sigmoid", "sigmoid weights"),
        ("relu", "relu weights"),
        ("linear", "another similarity takes part"),
        ("learned-sink", "a sink"),
        ("cla", "another layer"),
        ("alibi", "distance takes part"),
        ("disentangled", "distance takes part"),
        ("landmark", "the block of a key takes part"),
        ("talking-heads", "what other heads think takes part"),
        ("taylor", "another similarity takes part"),
        ("embedding-qk", "read from embedding"),
        ("uniform", "read from nothing"),
        ("routed", "see a part of them"),
        ("hashed", "looked up in tables"),
        ("complex", "the phases of theirs"),
    ],
)
def test_what_the_theorem_is_not_about_is_refused(name, words):
    with pytest.raises(ValueError, match=words):
        lens.collapse_bound(sharp_preset(name), IDS)


def test_models_of_transformers_have_the_floor_instead():
    with pytest.raises(TypeError, match="entropy_floor"):
        lens.collapse_bound(family("gpt2"), IDS)
    found = lens.measure(family("gpt2"), IDS, statistics=["entropy_floor", "entropy"])
    held = np.isfinite(found["entropy_floor"].values)
    assert held.any()
    floor, entropy = (found[name].values[held] for name in ("entropy_floor", "entropy"))
    assert (floor <= entropy + 1e-5).all()
