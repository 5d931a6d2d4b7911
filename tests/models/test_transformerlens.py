"""TransformerLens's own tools, run on our models."""

import pytest
import torch
from small_models import NAMES, SIZE, random_tokens, sharp, sharp_preset
from tokenizers import Tokenizer, models
from transformer_lens import ActivationCache, FactoredMatrix, SVDInterpreter, patching
from transformer_lens.head_detector import detect_head
from transformer_lens.model_protocol import TransformerLensModel, TransformerLensModelWithWeights
from transformer_lens.tools.analysis import (
    EdgeAttributionConfig,
    attention_head_subspace_affinity,
    attribution_patch,
    direct_logit_attribution,
    logit_lens,
)

from dva_lens.models.decoder import build
from dva_lens.models.presets import preset

ADDITIVE = [name for name in NAMES if name != "denseformer"]
ATTENDING = [name for name in ADDITIVE if preset(name, SIZE).attends(0)]
WITH_MATRICES = [name for name in ATTENDING if preset(name, SIZE).projections.is_matrix]
TOKENS = random_tokens()


@pytest.fixture
def model():
    return sharp_preset("resformer-gqa")


def test_a_model_is_what_the_protocols_ask_for(model):
    assert isinstance(model, TransformerLensModel)
    assert isinstance(model, TransformerLensModelWithWeights)
    assert (model.cfg.n_heads, model.cfg.n_key_value_heads, model.cfg.d_head) == (2, 1, 16)
    assert (model.cfg.device, model.cfg.dtype) == ("cpu", torch.float64)


def test_keys_and_values_are_recorded_before_heads_share_them(model):
    _, cache = model.run_with_cache(TOKENS)
    assert isinstance(cache, ActivationCache)
    shapes = {name: cache[name, 1].shape[2:] for name in ("q", "k", "v", "rot_q", "rot_k", "z")}
    assert shapes == {"q": (2, 16), "k": (1, 16), "v": (1, 16)} | {
        "rot_q": (2, 16),
        "rot_k": (1, 16),
        "z": (2, 16),
    }
    first, own, used = (
        cache[name]
        for name in ("blocks.0.attn.hook_v", "blocks.2.attn.hook_v", "blocks.2.attn.mix.hook_v")
    )
    torch.testing.assert_close(used, 0.5 * first + 0.5 * own)
    scores = torch.einsum("bqhd,bkgd->bhqk", cache["rot_q", 0], cache["rot_k", 0]) / 4
    seen = torch.ones(13, 13).tril().bool()
    torch.testing.assert_close(
        cache["attn_scores", 0], scores.masked_fill(~seen, -torch.inf), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_slice_of_positions_is_a_slice_of_positions(name):
    model = sharp_preset(name)
    _, whole = model.run_with_cache(TOKENS)
    _, part = model.run_with_cache(TOKENS, pos_slice=[3, 7])
    for key, full in whole.items():
        axis = -2 if key.endswith(("hook_attn_scores", "hook_pattern")) else 1
        torch.testing.assert_close(part[key], full.index_select(axis, torch.tensor([3, 7])))


def test_caches_are_filtered_by_name_list_and_function(model):
    wanted = ["blocks.0.hook_resid_pre", "blocks.2.attn.mix.hook_v"]
    assert list(model.run_with_cache(TOKENS, names_filter=wanted[0])[1]) == wanted[:1]
    assert list(model.run_with_cache(TOKENS, names_filter=wanted)[1]) == wanted
    _, cache = model.run_with_cache(
        TOKENS[:1], names_filter=lambda name: "hook_z" in name, remove_batch_dim=True
    )
    assert cache["z", 1].shape == (13, 2, 16)
    assert not cache.has_batch_dim
    _, cache = model.run_with_cache(TOKENS, return_type="loss", incl_bwd=True)
    assert cache["blocks.1.hook_resid_post_grad"].abs().sum() > 0


@pytest.mark.parametrize("name", ADDITIVE)
def test_parts_total_the_residual_stream(name):
    model = sharp_preset(name)
    _, cache = model.run_with_cache(TOKENS)
    depth = model.config.layers
    last = cache["resid_post", depth - 1]
    torch.testing.assert_close(cache.decompose_resid(depth).sum(0), last)
    torch.testing.assert_close(cache.accumulated_resid(depth)[-1], last)


@pytest.mark.parametrize("name", WITH_MATRICES)
def test_heads_and_neurons_total_the_residual_stream(name):
    model = sharp_preset(name)
    model.set_use_attn_result(True)
    _, cache = model.run_with_cache(TOKENS)
    depth = model.config.layers
    last = cache["resid_post", depth - 1]
    assert cache["result", depth - 1].shape == (2, 13, model.config.heads, 32)
    heads = cache.stack_head_results(depth, incl_remainder=True).sum(0)
    torch.testing.assert_close(heads, last)
    passed = [cache[name] for name in cache if name.endswith("hook_passed")]
    torch.testing.assert_close(
        cache.get_full_resid_decomposition(depth).sum(0) + sum(passed), last
    )
    if not model.cfg.attn_only and depth > 1:
        neurons = cache.stack_neuron_results(2, incl_remainder=True).sum(0)
        torch.testing.assert_close(neurons, cache["resid_post", 1])


def test_logit_attributions_total_the_logit(model):
    with torch.no_grad():
        model.ln_final.weight.fill_(1.0)
    logits, cache = model.run_with_cache(TOKENS)
    parts = cache.get_full_resid_decomposition(3, pos_slice=-1)
    found = cache.logit_attrs(parts, tokens=torch.tensor(7), pos_slice=-1).sum(0)
    torch.testing.assert_close(found.squeeze(), logits[:, -1, 7])


def test_the_logit_lens_ends_in_the_logits(model):
    lens = logit_lens(model, TOKENS, positions=None)
    torch.testing.assert_close(lens.values[-1], model(TOKENS))


def test_direct_attributions_total_the_logit_less_nothing(model):
    with torch.no_grad():
        model.ln_final.weight.fill_(1.0)
    found = direct_logit_attribution(model, TOKENS, torch.tensor([3, 5]), unit="component")
    torch.testing.assert_close(
        found.attribution.sum(0), model(TOKENS)[[0, 1], -1, [3, 5]].detach()
    )


@pytest.mark.parametrize("granularity", ["node", "edge"])
def test_effects_are_attributed(granularity):
    small = sharp(SIZE.config(layers=2))
    found = attribution_patch(
        small,
        random_tokens(1, 5, 1),
        random_tokens(1, 5, 2),
        lambda logits: logits[0, -1, 3],
        EdgeAttributionConfig(granularity=granularity),
    )
    assert len(found.node_scores)


def test_heads_are_compared_by_the_spaces_they_write_and_read(model):
    found = attention_head_subspace_affinity(model, target_role="Q")
    assert found is not None


@pytest.mark.parametrize(
    "sweep",
    [
        patching.get_act_patch_resid_pre,
        patching.get_act_patch_resid_mid,
        patching.get_act_patch_attn_out,
        patching.get_act_patch_mlp_out,
        patching.get_act_patch_attn_head_out_by_pos,
        patching.get_act_patch_attn_head_q_all_pos,
        patching.get_act_patch_attn_head_k_all_pos,
        patching.get_act_patch_attn_head_v_all_pos,
        patching.get_act_patch_attn_head_pattern_all_pos,
    ],
)
def test_patching_sweeps_run(sweep):
    small = sharp(SIZE.config(layers=2, kv_heads=1))
    clean, corrupted = random_tokens(1, 5, 1), random_tokens(1, 5, 2)
    right, cache = small.run_with_cache(clean)

    def metric(logits):
        return (logits[0, -1] - right[0, -1]).square().sum().detach()

    with torch.no_grad():
        found = sweep(small, corrupted, cache, metric)
    assert found.isfinite().all()
    assert found.std() > 0


def test_patching_everything_at_the_start_restores_the_clean_run():
    small = sharp(SIZE.config(layers=2))
    clean, corrupted = random_tokens(1, 5, 1), random_tokens(1, 5, 2)
    right, cache = small.run_with_cache(clean)
    with torch.no_grad():
        restored = small.run_with_hooks(
            corrupted,
            fwd_hooks=[("blocks.0.hook_resid_pre", lambda each, hook: cache[hook.name])],
        )
    torch.testing.assert_close(restored, right)


@pytest.mark.parametrize("component", ["q", "k", "v"])
def test_direct_paths_are_patched_and_switches_are_put_back(component):
    small = sharp(SIZE.config(layers=2))
    clean, corrupted = random_tokens(1, 5, 1), random_tokens(1, 5, 2)
    (_, ours), (_, theirs) = small.run_with_cache(clean), small.run_with_cache(corrupted)
    with torch.no_grad():
        found = patching.get_act_patch_direct_path(
            small,
            corrupted,
            ours,
            theirs,
            lambda logits: logits[0, -1, 3],
            src_layer=0,
            src_head=1,
            component=component,
            verbose=False,
        )
    assert found[1].std() > 0
    assert not small.cfg.use_split_qkv_input


@pytest.mark.parametrize("name", NAMES)
def test_copies_of_the_input_per_head_change_nothing(name):
    model = sharp_preset(name)
    with torch.no_grad():
        plain = model(TOKENS)
        model.set_use_split_qkv_input(True)
        torch.testing.assert_close(model(TOKENS), plain)
        with pytest.raises(ValueError, match="Switch use_split_qkv_input off first"):
            model.set_use_attn_in(True)
        model.set_use_split_qkv_input(False)
        model.set_use_attn_in(True)
        model.set_use_hook_mlp_in(True)
        torch.testing.assert_close(model(TOKENS), plain)


@pytest.mark.parametrize("kind", ["previous_token_head", "duplicate_token_head", "induction_head"])
def test_heads_are_detected(kind, model):
    model = model.float()
    model.to_tokens = lambda text: TOKENS[:1]
    found = detect_head(model, "some text", kind)
    assert found.shape == (3, 2)
    assert found.isfinite().all()


def test_factored_matrices_and_singular_vectors(model):
    assert isinstance(model.OV, FactoredMatrix)
    assert model.OV.AB.shape == (3, 2, 32, 32)
    torch.testing.assert_close(
        model.QK.AB[1, 0], model.blocks[1].attn.W_Q[0] @ model.blocks[1].attn.W_K[0].T
    )
    interpreter = SVDInterpreter(model)
    assert interpreter.get_singular_vectors("OV", 1, 4, head_index=1).shape == (41, 1, 4)
    assert interpreter.get_singular_vectors("w_in", 0, 4).shape == (41, 1, 4)
    assert interpreter.get_singular_vectors("w_out", 0, 4).shape == (41, 1, 4)


def test_weights_that_are_not_there_are_named():
    with pytest.raises(LookupError, match="Layer 1 computes no values of its own"):
        _ = sharp_preset("svformer").W_V
    with pytest.raises(LookupError, match=r"Layer 0 computes no queries .* or are zero"):
        _ = sharp_preset("uniform").W_Q
    assert not any("W_Q" in name for name in sharp_preset("static-learned").tl_parameters())
    with pytest.raises(LookupError, match="no table of positions"):
        _ = sharp_preset("transformer").W_pos


def test_layers_are_found_by_their_parts():
    model = sharp_preset("dva")
    assert [layer for layer, _ in model.blocks_with("attn")] == [0, 1, 2]
    assert model.blocks_with("mlp") == []


def test_directions_of_tokens_are_columns_of_the_unembedding():
    model = build(SIZE.config())
    words = {f"w{number}": number for number in range(41)}
    model.tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    torch.testing.assert_close(model.tokens_to_residual_directions("w5"), model.W_U[:, 5])
    chosen = model.tokens_to_residual_directions(torch.tensor([[1, 2]]))
    torch.testing.assert_close(chosen, model.W_U.T[torch.tensor([[1, 2]])])
