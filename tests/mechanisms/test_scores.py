"""Every way to make scores against a second writing of the whole model, gradients included."""

from math import cos, sin

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, by_map, products, second_writing, unit
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp, sharp_preset
from transformers import DebertaV2Config
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention

from dva_lens.mechanisms.scores import SCORES
from dva_lens.models.checkpoint import load_checkpoint, save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset
from dva_lens.recording import record

TOKENS = random_tokens()
MADE = [name for name in SCORES if name != "uniform"]
FIXED = ("frozen-random", "random-fixed")


def with_distances(query, key, block):
    """Add the terms of one pair after the other."""
    terms, length = block.attn.terms, query.shape[1]
    added = torch.zeros(len(query), 2, length, length, dtype=query.dtype)
    for i in range(length):
        for j in range(i + 1):
            back = min(i - j, terms.keys.shape[1] - 1)
            of_query = (query[:, i] * terms.keys[:, back]).sum(-1)
            added[:, :, i, j] = of_query + (terms.queries[:, back] * key[:, j]).sum(-1)
    return (products(query, key) + added / 4) / 3**0.5


def with_phases(query, key, block):
    """Compare complex numbers pair by pair, the difference of their phases taken first."""
    half, length = query.shape[-1] // 2, query.shape[1]
    (sizes, angles), (others, away) = (
        (each.abs(), each.angle())
        for each in (torch.complex(h[..., :half], h[..., half:]) for h in (query, key))
    )
    place = torch.arange(length).double()
    back = place[:, None] - place
    turn = back[..., None, None] * 10000.0 ** (-torch.arange(half).double() / half)
    slope, shift = (
        each.reshape(-1, half) for each in (block.attn.phases.slope, block.attn.phases.shift)
    )
    phase = slope * (angles[:, :, None] - away[:, None]) + shift + turn
    both = sizes[:, :, None] * others[:, None]
    return torch.einsum("bqkhc,bqkhc->bhqk", both, phase.cos()) / (2 * half) ** 0.5


SCORED = {"disentangled": with_distances, "complex": with_phases}


def by_table(made, stream, start):
    del start
    count, length = stream.shape[:2]
    return torch.stack([made.weight[place] for place in range(length)]).expand(count, -1, -1, -1)


SECOND = {
    "dot-product": by_map,
    "frozen-random": by_map,
    "disentangled": by_map,
    "complex": by_map,
    "embedding-qk": lambda made, stream, start: by_map(made, unit(start), None),
    "static-learned": by_table,
    "random-fixed": by_table,
    "uniform": lambda made, stream, start: stream.new_zeros(*stream.shape[:2], 2, 16),
}


@pytest.mark.parametrize("kind", SCORES)
def test_scores_are_their_formula_with_every_gradient(kind):
    chosen = {"kind": kind, "clip": 4} if kind == "disentangled" else kind
    model = sharp(SIZE.config(scores=chosen, feedforward="none"))
    scored = SCORED.get(kind, products)
    expected = second_writing(model, TOKENS, made=SECOND[kind], scored=scored)
    assert_one_formula(model, model(TOKENS), expected)


def test_disentangled_scores_are_those_of_deberta():
    """Of 3 * 12 channels, the root that theirs takes in single precision is exact."""
    clip, chosen = 4, {"kind": "disentangled", "clip": 4}
    model = sharp(SIZE.changed(width=24).config(scores=chosen, positions="none"))
    attention = model.blocks[1].attn
    theirs = DisentangledSelfAttention(
        DebertaV2Config(
            hidden_size=24,
            num_attention_heads=2,
            relative_attention=True,
            max_relative_positions=clip,
            pos_att_type=["c2p", "p2c"],
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    ).double()
    distances = torch.randn(2 * clip, 24, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        for name in ("query", "key", "value"):
            getattr(theirs, f"{name}_proj").weight.copy_(getattr(attention, name).weight)
            getattr(theirs, f"{name}_proj").bias.zero_()
        place = (clip + torch.arange(clip + 1)).clamp(max=2 * clip - 1)
        ahead, behind = (
            made(distances)[place] for made in (theirs.pos_key_proj, theirs.pos_query_proj)
        )
        attention.terms.keys.copy_(ahead.unflatten(1, (2, 12)).transpose(0, 1))
        attention.terms.queries.copy_(behind.unflatten(1, (2, 12)).transpose(0, 1))
        _, cache = model.run_with_cache(TOKENS)
        read = unit(cache["resid_pre", 1]) * model.blocks[1].ln1.weight
        seen = torch.ones(2, 1, 13, 13).tril().bool()
        _, weights = theirs(read, seen, output_attentions=True, rel_embeddings=distances)
    torch.testing.assert_close(cache["pattern", 1], weights, rtol=0, atol=1e-10)


def test_complex_scores_start_as_the_rotary_dot_product():
    plain, other = (
        build(SIZE.config(scores=kind)).double() for kind in ("dot-product", "complex")
    )
    torch.testing.assert_close(other(TOKENS), plain(TOKENS), rtol=0, atol=1e-12)


def phases_of(**sizes):
    return build(SIZE.config(scores="complex", **sizes)).double().blocks[0].attn.phases


def test_a_slope_of_two_doubles_what_a_difference_of_phases_says():
    phases = phases_of(heads=1)
    with torch.no_grad():
        phases.slope.fill_(2.0)
        phases.shift.fill_(0.25)
    one, other = torch.zeros(2, 1, 1, 1, 32).double()
    one[..., [0, 16]] = torch.tensor([3 * cos(0.7), 3 * sin(0.7)]).double()
    other[..., [0, 16]] = torch.tensor([2 * cos(0.3), 2 * sin(0.3)]).double()
    query, key = phases(one, other)
    assert (query * key).sum().item() == pytest.approx(6 * cos(2 * (0.7 - 0.3) + 0.25), rel=1e-6)


def test_what_has_no_phase_weighs_nothing_and_has_a_finite_gradient():
    phases = phases_of()
    for size in (0.0, 1e-200):
        given = torch.full((1, 3, 2, 16), size, dtype=torch.float64).requires_grad_()
        query, key = phases(given, given)
        (query.sum() + key.sum()).backward()
        assert query.abs().max() <= 2 * size
        assert given.grad.isfinite().all()
        assert bool(given.grad.any()) is (size > 0)


def test_heads_that_share_a_key_share_its_slopes():
    phases = phases_of(kv_heads=1)
    assert (len(phases.slope), len(phases.shift)) == (8, 16)


def test_what_complex_scores_cannot_be_part_of_is_refused():
    with pytest.raises(ValueError, match="Complex scores need an even qk_dim, got 5"):
        SIZE.config(scores="complex", qk_dim=5, positions="none")
    with pytest.raises(ValueError, match="scores with phases that each of them learns"):
        SIZE.config(scores="complex", share_pattern_every=3)
    with pytest.raises(LookupError, match="Layer 0 scales and shifts phases"):
        _ = sharp_preset("complex").QK


def test_uniform_attention_is_the_running_mean():
    model = sharp_preset("uniform")
    _, cache = model.run_with_cache(TOKENS)
    for layer in range(3):
        counts = torch.arange(1, 14)[:, None, None]
        torch.testing.assert_close(
            cache["z", layer], cache["v", layer].cumsum(1) / counts, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_uniform_attention_is_recorded_as_the_reference(backend):
    found = record(tiny("uniform").double(), tokens_of([16]), backend=backend)
    seen = np.arange(1, 17)
    for layer in found.layers:
        summary = layer.summary
        np.testing.assert_allclose(summary.entropy, np.log(seen) + 0 * summary.entropy, atol=1e-12)
        np.testing.assert_allclose(summary.first_mass * seen, 1.0, atol=1e-12)
        np.testing.assert_allclose(summary.largest * seen, 1.0, atol=1e-12)


@pytest.mark.parametrize("kind", ["static-learned", "random-fixed", "uniform"])
def test_no_token_has_a_say_in_scores_by_position(kind):
    model = sharp(SIZE.config(scores=kind))
    _, one = model.run_with_cache(TOKENS)
    _, other = model.run_with_cache((TOKENS + 5) % 41)
    for layer in range(3):
        torch.testing.assert_close(one["pattern", layer], other["pattern", layer])
    spread = one["pattern", 1][:, :, -1].std(-1)
    assert bool((spread > 1e-6).all()) is (kind != "uniform")


def test_scores_of_embeddings_do_not_read_the_layer():
    model = sharp(SIZE.config(scores="embedding-qk"))
    _, before = model.run_with_cache(TOKENS)
    with torch.no_grad():
        model.blocks[0].attn.out.weight.mul_(-3)
    _, after = model.run_with_cache(TOKENS)
    torch.testing.assert_close(before["attn_scores", 2], after["attn_scores", 2])
    assert (before["resid_pre", 2] - after["resid_pre", 2]).abs().max() > 0.1


@pytest.mark.parametrize("kind", FIXED)
def test_what_is_fixed_is_no_parameter_and_stands_in_checkpoints(kind, tmp_path):
    model, other = (build(SIZE.config(scores=kind), seed) for seed in (0, 1))
    names = [name for name, _ in model.named_parameters()]
    assert not any("query" in name or "key" in name for name in names)
    held = model.blocks[1].attn.query.weight
    assert not torch.equal(held, other.blocks[1].attn.query.weight)
    with torch.no_grad():
        held.mul_(1.5)
    again = load_checkpoint(save_checkpoint(tmp_path / "model", model)).model
    assert torch.equal(again.blocks[1].attn.query.weight, held)


@pytest.mark.parametrize("kind", FIXED)
def test_fixed_scores_vary_by_about_one(kind):
    size = Size(layers=1, width=256, heads=4, vocabulary=300, context=256)
    model = build(size.config(scores=kind)).double()
    scores = []
    hook = ("blocks.0.attn.hook_attn_scores", lambda found, hook: scores.append(found))
    model.run_with_hooks(torch.randperm(256)[None], fwd_hooks=[hook])
    seen = scores[0][scores[0] > -torch.inf]
    assert seen.std().item() == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("kind", MADE)
def test_scores_share_keys_between_heads_and_layers(kind):
    config = SIZE.config(scores=kind, kv_heads=1, share_kv_every=2)
    model = sharp(config)
    assert model.blocks[1].attn.key is None
    assert model.blocks[1].attn.query is not None
    _, cache = model.run_with_cache(TOKENS)
    assert torch.equal(cache["k", 0], cache["k", 1])
    assert cache["k", 2].shape == (2, 13, 1, 16)


@pytest.mark.parametrize("kind", ["uniform", "embedding-qk", "random-fixed"])
def test_a_hybrid_keeps_standard_attention_in_the_layers_that_it_names(kind):
    model = sharp(SIZE.config(scores=kind, rule="decay", standard_layers=(1,), feedforward="none"))
    plain = sharp(SIZE.config(feedforward="none"))
    plain.blocks[1].load_state_dict(model.blocks[1].state_dict())
    _, cache = model.run_with_cache(TOKENS)
    given = [("blocks.1.hook_resid_pre", lambda stream, hook: cache["resid_pre", 1])]
    with plain.hooks(fwd_hooks=given):
        _, standard = plain.run_with_cache(TOKENS)
    torch.testing.assert_close(standard["attn_out", 1], cache["attn_out", 1], rtol=0, atol=1e-10)
    mass = [cache["pattern", layer].sum(-1)[..., 5:] for layer in range(3)]
    assert (mass[0] < 0.999).all()
    torch.testing.assert_close(mass[1], torch.ones_like(mass[1]))
    assert (mass[2] < 0.999).all()


def test_layers_that_share_a_pattern_weigh_alike():
    model = sharp_preset("shared-pattern")
    assert [block.attn.query is not None for block in model.blocks] == [True, False, True]
    _, cache = model.run_with_cache(TOKENS)
    assert torch.equal(cache["pattern", 0], cache["pattern", 1])
    assert not torch.allclose(cache["pattern", 1], cache["pattern", 2], atol=1e-3)
    assert not torch.allclose(cache["v", 0], cache["v", 1], atol=1e-3)
    mixed = torch.einsum("bhqk,bkhd->bqhd", cache["pattern", 0], cache["v", 1])
    torch.testing.assert_close(mixed, cache["z", 1])


def test_a_shared_pattern_receives_gradients_from_all_layers_that_use_it():
    model = sharp_preset("shared-pattern")
    model(TOKENS, return_type="loss").backward()
    used = model.blocks[0].attn.query.weight.grad.clone()
    model.zero_grad()
    with model.hooks(fwd_hooks=[("blocks.1.attn.hook_q", lambda query, hook: query.detach())]):
        model(TOKENS, return_type="loss").backward()
    assert not torch.allclose(used, model.blocks[0].attn.query.weight.grad)


def test_one_wide_layer_has_the_heads_of_all():
    config = preset("wide", SIZE)
    assert (config.layers, config.heads, config.qk_dim, config.value_dim) == (1, 6, 16, 16)


def test_a_hybrid_needs_a_second_layer():
    with pytest.raises(ValueError, match="needs at least 2 layers, got layers=1"):
        preset("uniform-hybrid", SIZE.changed(layers=1))
