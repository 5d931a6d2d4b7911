"""TransformerLens's own tools on our models say what can be worked out without them."""

import pytest
import torch
from small_models import NAMES, SIZE, random_tokens, sharp, sharp_preset
from transformer_lens import SVDInterpreter, patching
from transformer_lens.head_detector import detect_head
from transformer_lens.tools.analysis import EdgeAttributionConfig, attribution_patch

CLEAN, CORRUPTED = random_tokens(1, 7, 1), random_tokens(1, 7, 2)


def metric(logits):
    return logits[0, -1, 3]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_stops_at_every_layer(name):
    model = sharp_preset(name)
    _, cache = model.run_with_cache(CLEAN)
    for layer in range(model.config.layers):
        stopped = model(CLEAN, stop_at_layer=layer)
        torch.testing.assert_close(stopped, cache["resid_pre", layer])


@pytest.mark.parametrize("name", ["transformer", "resformer-gqa", "svformer", "gated", "dva"])
def test_patching_the_stream_at_the_start_is_changing_the_token(name):
    model = sharp_preset(name)
    _, cache = model.run_with_cache(CLEAN)
    with torch.no_grad():
        found = patching.get_act_patch_resid_pre(model, CORRUPTED, cache, metric)
        for place in range(7):
            tokens = CORRUPTED.clone()
            tokens[0, place] = CLEAN[0, place]
            torch.testing.assert_close(found[0, place], metric(model(tokens)).float())


def test_patching_the_first_layers_values_reaches_every_layer():
    model = sharp_preset("svformer")
    _, cache = model.run_with_cache(CLEAN)
    put = ("blocks.0.attn.hook_v", lambda each, hook: cache[hook.name])
    with torch.no_grad(), model.hooks([put]):
        _, patched = model.run_with_cache(CORRUPTED)
    for layer in range(3):
        name = f"blocks.{layer}.attn.mix.hook_v"
        torch.testing.assert_close(patched[name], cache[name])
    assert not torch.allclose(patched["pattern", 1], cache["pattern", 1])


@pytest.mark.parametrize("name", ["transformer", "gated", "dva", "1h-ff-pairwise-own"])
def test_effects_along_edges_add_up_to_those_of_nodes(name):
    model = sharp_preset(name)
    nodes, edges = (
        attribution_patch(
            model, CLEAN, CORRUPTED, metric, EdgeAttributionConfig(granularity=granularity)
        ).node_scores
        for granularity in ("node", "edge")
    )
    assert nodes.keys() == edges.keys()
    for node, effect in nodes.items():
        assert edges[node] == pytest.approx(effect, rel=1e-6, abs=1e-9), node


@pytest.mark.parametrize("name", ["resformer-identity", "neutreno", "sigmoid", "dva-pair-gate"])
def test_an_attributed_effect_is_the_effect_of_a_small_change(name):
    model = sharp_preset(name)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        step = torch.randn(32, generator=generator, dtype=torch.float64)
        model.W_E[6] = model.W_E[5] + 1e-7 * step
    clean, corrupted = torch.tensor([[2, 5, 9, 4]]), torch.tensor([[2, 6, 9, 4]])
    scores = attribution_patch(model, clean, corrupted, metric).node_scores
    _, cache = model.run_with_cache(clean)
    for node in scores:
        if node.kind != "attn_head_out" or node.position != 3:
            continue

        def patch(each, hook, node=node):
            each[0, 3, node.head] = cache[hook.name][0, 3, node.head]
            return each

        with torch.no_grad():
            changed = model.run_with_hooks(corrupted, fwd_hooks=[(node.hook_name, patch)])
            effect = metric(changed) - metric(model(corrupted))
        assert scores[node] == pytest.approx(effect.item(), rel=1e-4, abs=1e-13)


def test_a_network_that_is_not_there_is_shown_writing_nothing():
    model = sharp_preset("dva")
    with torch.no_grad():
        plain = model(CLEAN)
        logits, cache = model.run_with_cache(CLEAN, names_filter=lambda name: "mlp" in name)
        assert torch.equal(logits, plain)
        assert list(cache) == [f"blocks.{layer}.hook_mlp_out" for layer in range(3)]
        assert not any(each.any() for each in cache.values())
        add = [("blocks.1.hook_mlp_out", lambda each, hook: each + 1)]
        assert not torch.allclose(model.run_with_hooks(CLEAN, fwd_hooks=add), plain)


@pytest.mark.parametrize("name", ["transformer", "mqa", "dva"])
def test_a_detected_score_is_the_share_of_the_pattern(name):
    model = sharp_preset(name).float()
    model.to_tokens = lambda text: CLEAN
    found = detect_head(model, "some text", "previous_token_head")
    _, cache = model.run_with_cache(CLEAN)
    for layer in range(3):
        pattern = cache["pattern", layer][0]
        share = pattern.diagonal(-1, 1, 2).sum(-1) / pattern.sum((1, 2))
        torch.testing.assert_close(found[layer], share)


def test_singular_vectors_are_those_of_the_circuit():
    model = sharp(SIZE.config(kv_heads=1))
    found = SVDInterpreter(model).get_singular_vectors("OV", 1, 3, head_index=1)[:, 0]
    attention = model.blocks[1].attn
    circuit = attention.W_V[0] @ attention.W_O[1]
    right = torch.linalg.svd(circuit).Vh[:3]
    expected = (right @ model.W_U).T
    signs = torch.sign((found * expected).sum(0))
    torch.testing.assert_close(found, expected * signs, rtol=1e-6, atol=1e-8)
