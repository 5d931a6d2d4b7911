"""Heads that compose scores and weights, against second writings with a matrix for every pair."""

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, turned, unit
from own_models import tiny, tokens_of
from small_models import random_tokens, sharp

import dva_lens as lens
from dva_lens.kernels.attention import attend
from dva_lens.kernels.blocked.moments import moments
from dva_lens.kernels.composition import Composition, HeadMaps
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.inputs import check
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise, Separable, Static
from dva_lens.models.size import Size
from dva_lens.recording import record
from dva_lens.statistics.table import EXTENDED, PRIMARY

SIZE = Size(layers=2, width=24, heads=3, vocabulary=41, context=32)
TOKENS = random_tokens()
KINDS = {
    "talking-heads": "talking-heads",
    "dynamic": "dynamic",
    "without-base": {"kind": "dynamic", "rank": 1, "base": False},
}


def tables(composed, read):
    """Return a matrix over heads for every pair: of scores, and of weights."""
    if hasattr(composed, "scores"):
        return composed.scores, composed.weights
    batch, length, _ = read.shape
    heads = composed.maps.shape[-1]
    found = []
    for side in range(2):
        whole = torch.eye(heads).double().expand(batch, length, length, heads, heads)
        if composed.shared is not None:
            whole = whole + composed.shared[side]
        for which in range(2):
            at = 2 * side + which
            inner = composed.maps.shape[1]
            rows = slice(at * inner, (at + 1) * inner)
            hidden = read @ composed.hidden.weight[rows].T
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
            made = (hidden @ composed.maps[at].flatten(1)).unflatten(-1, (2, -1, heads))
            read_maps = made[:, :, 0]
            size = (read_maps**2).mean(-1, keepdim=True) + 1e-6
            own = torch.einsum("bnrh,bnrm->bnhm", read_maps / size**0.5, made[:, :, 1])
            gate = torch.tanh(read @ composed.gates.weight[at * heads : (at + 1) * heads].T)
            own = own + torch.diag_embed(gate)
            whole = whole + (own[:, None] if which else own[:, :, None])
        found.append(whole)
    return found


def applied(table, entries):
    """Let a matrix over heads, of all pairs or of each, act on entries of all heads."""
    if table.ndim == 2:
        return torch.einsum("bmqk,mn->bnqk", entries, table)
    return torch.einsum("bmqk,bqkmn->bnqk", entries, table)


def composed_logits(model, tokens, seen):
    """Return the logits and every layer's weights, all matrices formed."""
    stream, patterns = model.embed.weight[tokens], []
    for block in model.blocks:
        read = unit(stream) * block.ln1.weight
        query, key, value = (
            (read @ each.weight.T).unflatten(-1, (SIZE.heads, -1))
            for each in (block.attn.query, block.attn.key, block.attn.value)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", turned(query), turned(key))
        before, after = tables(block.attn.composed, read)
        scores = applied(before, scores / query.shape[-1] ** 0.5)
        weights = scores.masked_fill(~seen, -1e300).softmax(-1)
        patterns.append(applied(after, weights * seen.any(-1, keepdim=True)))
        mixed = torch.einsum("bhqk,bkhd->bqhd", patterns[-1], value).flatten(2)
        stream = stream + mixed @ block.attn.out.weight.T
    return unit(stream) * model.ln_final.weight @ model.unembed.W_U, patterns


def model_of(kind, **chosen):
    return sharp(SIZE.config(composition=KINDS[kind], feedforward="none", **chosen))


def causal(length):
    return torch.ones(length, length).tril().bool()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1 << 17, 3 * 13 * 2 * 4])
def test_composed_heads_are_their_formula_with_every_gradient(kind, rows, monkeypatch):
    """Of 13 tokens, at once or four rows at a time."""
    monkeypatch.setattr("dva_lens.kernels.blocked.composed.ENTRIES", rows)
    model = model_of(kind)
    expected, _ = composed_logits(model, TOKENS, causal(13))
    assert_one_formula(model, model(TOKENS), expected)


@pytest.mark.parametrize("kind", ["talking-heads", "dynamic"])
def test_windows_padding_and_packed_texts_are_the_formula_too(kind):
    """With every gradient; rows of padding mix nothing, whatever the maps are."""
    model = model_of(kind, visibility={"kind": "window", "length": 4})
    segments = torch.tensor([[0, 0, 0] + [1] * 5 + [2] * 5, [1] * 9 + [2] * 2 + [0] * 2])
    near = causal(13) & (torch.arange(13)[:, None] - torch.arange(13) < 4)
    same = (segments[:, :, None] == segments[:, None]) & (segments > 0)[:, :, None]
    expected, _ = composed_logits(model, TOKENS, (near & same)[:, None])
    assert_one_formula(model, model(TOKENS, segments=segments), expected)


@pytest.mark.parametrize("kind", ["talking-heads", "dynamic"])
@pytest.mark.parametrize("backend", ["reference", "exact", "blocked"])
def test_composed_weights_are_recorded_and_have_no_entropy(kind, backend):
    """What multiplies values is recorded; padding on the right is nothing of it."""
    model = model_of(kind)
    tokens = TOKENS.clone()
    tokens[1, 9:] = 0
    real = torch.arange(13) < torch.tensor([13, 9])[:, None]
    found = record(model, tokens.numpy(), torch.tensor([13, 9]).numpy(), backend=backend)
    seen = (causal(13) & real[:, None])[:, None]
    _, patterns = composed_logits(model, tokens, seen)
    for layer, pattern in zip(found.layers, patterns, strict=True):
        weights, held = pattern.detach(), layer.summary
        assert (weights < -1e-3).any()
        assert (weights.sum(-1) - 1).abs().max() > 1e-2
        want = {
            "row_mass": weights.sum(-1),
            "absolute_mass": weights.abs().sum(-1),
            "square_sum": weights.square().sum(-1),
            "largest": weights.masked_fill(~seen, -torch.inf).amax(-1),
            "first_mass": weights[..., 0],
            "self_mass": weights.diagonal(dim1=2, dim2=3),
            "rest_mass": weights[..., 1:].sum(-1),
        }
        at = real[:, None].expand(-1, 3, -1).numpy()
        for name, each in want.items():
            np.testing.assert_allclose(
                getattr(held, name)[at], each.numpy()[at], atol=1e-6, err_msg=name
            )
        received = (weights * real[:, None, :, None]).sum(2).numpy()
        np.testing.assert_allclose(held.received[at], received[at], atol=1e-6)
        assert np.isnan(held.entropy).all()
        assert np.isnan(held.rest_entropy).all()
        assert layer.signed


def test_statistics_say_why_they_are_not_there_or_keep_their_sign():
    data = lens.measure(tiny("dcformer"), tokens_of([16, 16]), statistics=[*PRIMARY, *EXTENDED])
    alive = {
        *("largest_weight", "first_key_mass", "sink_importance", "sink_rate", "value_drain"),
        *("written_value_drain", "sink_output_share", "value_source_share", "loss"),
        *("massive_activation", "strongest_other_sink", "signed_mass", "absolute_mass"),
        *("effective_rank", "rank_residual", "token_similarity"),
    }
    for name in (*PRIMARY, *EXTENDED):
        held = bool(np.isfinite(data[name]).any())
        assert held == (name in alive), name
        if not held:
            said = "heads compose their weights, some of which may be negative"
            assert data[name].attrs["why_not"] == said
    assert float(data["first_key_mass"].min()) < 0
    assert float((data["absolute_mass"] - data["signed_mass"]).min()) >= -1e-5
    assert float((data["absolute_mass"] - data["signed_mass"]).max()) > 0.1


def test_weights_of_other_models_total_alike_with_signs_and_without():
    data = lens.measure(
        tiny("learned-sink"), tokens_of([16]), statistics=["signed_mass", "absolute_mass"]
    )
    np.testing.assert_array_equal(data["signed_mass"], data["absolute_mass"])
    assert float(data["signed_mass"].max()) < 1


def test_heads_that_swap_deliver_what_the_other_one_weighs():
    """With the maps of a swap, each head's values are mixed by the weights of the other."""
    model = sharp(SIZE.config(composition="talking-heads", feedforward="none"))
    plain = sharp(SIZE.config(feedforward="none"))
    turn = torch.eye(3, dtype=torch.float64)[[1, 2, 0]]
    with torch.no_grad():
        for block in model.blocks:
            block.attn.composed.scores.copy_(turn)
            block.attn.composed.weights.copy_(turn.T)
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(model(TOKENS), plain(TOKENS), rtol=0, atol=1e-12)
    with torch.no_grad():
        model.blocks[0].attn.composed.scores.copy_(torch.eye(3))
    _, swapped = model.run_with_cache(TOKENS)
    _, cache = plain.run_with_cache(TOKENS)
    want = cache["pattern", 0][:, [1, 2, 0]]
    torch.testing.assert_close(swapped["pattern", 0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["talking-heads", "dynamic"])
def test_groups_of_heads_share_keys_and_compose_each_for_itself(kind):
    size = Size(layers=1, width=32, heads=4, vocabulary=41, context=32)
    model = sharp(size.config(composition=kind, kv_heads=2))
    wide = sharp(size.config(composition=kind))
    held = dict(model.state_dict())
    for name in held:
        if name.endswith(("attn.key.weight", "attn.value.weight")):
            held[name] = held[name].unflatten(0, (2, -1))[[0, 0, 1, 1]].flatten(0, 1)
    wide.load_state_dict(held)
    torch.testing.assert_close(model(TOKENS), wide(TOKENS), rtol=0, atol=1e-12)


def test_a_composed_head_is_not_looked_at_alone():
    model, tokens = tiny("dcformer").double(), tokens_of([13])[0]
    with pytest.raises(TypeError, match=r"none attends alone; ask for all 4 of them, got \[2\]"):
        lens.pair(model, tokens, layer=1, head=2, query=6, key=2)
    _, cache = model.run_with_cache(torch.as_tensor(tokens)[None])
    found = lens.pattern_tiles(model, tokens, layer=1, resolution=(13, 13))
    shown = np.nan_to_num(found["mean"].values)
    np.testing.assert_allclose(shown, cache["pattern", 1][0].numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"rule": "taylor"}, "composition dynamic with rule taylor"),
        ({"rule": "landmark"}, "composition dynamic with rule landmark"),
        ({"value_form": "pairwise"}, "values of keys alone, got .* value_form pairwise"),
        ({"share_pattern_every": 2}, "each of them composes, got .* share_pattern_every=2"),
        ({"composition": {"kind": "dynamic", "rank": 0}}, "rank must be at least 1"),
    ],
)
def test_what_heads_cannot_compose_is_refused(chosen, said):
    with pytest.raises(ValueError, match=said):
        SIZE.config(**{"composition": "dynamic", **chosen})


def test_kernels_refuse_what_they_cannot_compose():
    maps = Composition(after=HeadMaps(torch.eye(2)))
    with pytest.raises(TypeError, match="'fused' knows no heads that compose"):
        check_rule(Rule(1.0, composition=maps))
    with pytest.raises(ValueError, match=r"which another similarity .* bends first"):
        Rule(1.0, similarity="linear", composition=maps)
    given = torch.zeros(1, 3, 4, 2)
    with pytest.raises(ValueError, match=r"composition.after.shared must be of shape \(3, 3\)"):
        check(given, given, Static(given), Rule(1.0, composition=maps))
    with pytest.raises(TypeError, match="no mean over queries is known for values of type Separ"):
        moments(given, given, Separable(given, given), Rule(1.0, composition=maps))
    with pytest.raises(TypeError, match="mix values of keys, got values of type Pairwise"):
        attend(given, given, Pairwise(given, given), Rule(1.0, composition=maps))
