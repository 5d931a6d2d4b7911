"""Whether a model can be measured is found out by trying, and a refusal gives the true reason."""

import families
import numpy as np
import pytest
import torch
import transformers as tf

import dva_lens as lens
from dva_lens.recording.patterns import summary_of
from dva_lens.recording.record import record
from dva_lens.sites import SUMMARY

TOKENS = np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 13))
BART = {
    "vocab_size": families.VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "max_position_embeddings": 64,
}  # fmt: skip
TRIED = {
    "stablelm": (tf.StableLmForCausalLM, tf.StableLmConfig, families.GROUPED),
    "biogpt": (tf.BioGptForCausalLM, tf.BioGptConfig, families.COMMON),
    "bart": (tf.BartForCausalLM, tf.BartConfig, BART),
}
HYBRIDS = {
    "jamba": (
        tf.JambaForCausalLM,
        tf.JambaConfig,
        families.GROUPED
        | {
            "num_hidden_layers": 4, "num_experts": 2, "attn_layer_period": 2,
            "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
            "mamba_d_state": 4,
        },
        "JambaMambaMixer",
    ),
    "qwen3-next": (
        tf.Qwen3NextForCausalLM,
        tf.Qwen3NextConfig,
        families.GROUPED
        | {
            "num_hidden_layers": 4, "head_dim": 8, "num_experts": 2, "num_experts_per_tok": 1,
            "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
            "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
            "linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"] * 2,
        },
        "Qwen3NextGatedDeltaNet",
    ),
}  # fmt: skip
REFUSED = {
    "diffllama": (
        tf.DiffLlamaForCausalLM, tf.DiffLlamaConfig, families.GROUPED,
        r"DiffLlamaAttention of model\.layers\.0 attends more than once in a pass",
    ),
    "xlnet": (
        tf.XLNetLMHeadModel, tf.XLNetConfig,
        {"vocab_size": families.VOCABULARY, "d_model": 32, "n_layer": 2, "n_head": 4,
         "d_inner": 48},
        "computes attention in code of its own",
    ),
    "mamba": (
        tf.MambaForCausalLM, tf.MambaConfig,
        {"vocab_size": families.VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2},
        r"MambaForCausalLM ran backbone\.layers\.0, backbone\.layers\.1 without calling",
    ),
}  # fmt: skip


def built(cls, config, settings, attention="sdpa"):
    torch.manual_seed(0)
    settings = config(**settings, **({"attn_implementation": attention} if attention else {}))
    settings._experts_implementation = "eager"  # grouped products know no float64
    model = cls(settings).double().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim > 1 and "embed" not in key and "attn" in key:
                weight.mul_(8.0)
    return model


def check(layer, pattern):
    expected = summary_of(pattern.numpy(), np.array([13, 13]))
    for name in ("entropy", "largest", "first_mass", "distance", "received"):
        np.testing.assert_allclose(
            getattr(layer.summary, name), getattr(expected, name), atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("name", TRIED)
def test_a_model_whose_flag_says_no_is_measured_as_its_eager_says(name):
    with families.exact():
        found = record(built(*TRIED[name]), TOKENS)
    patterns, _, _ = families.eager(built(*TRIED[name], "eager"), input_ids=torch.tensor(TOKENS))
    for layer, pattern in zip(found.layers, patterns, strict=True):
        check(layer, pattern)
    assert found.provenance["fidelity_output"] < 1e-9
    assert np.isfinite(found.loss[:, :-1]).all()


@pytest.mark.parametrize("name", HYBRIDS)
def test_the_attention_layers_of_a_hybrid_are_measured(name):
    *model, mixer = HYBRIDS[name]
    with families.exact():
        found = record(built(*model), TOKENS, sites=(SUMMARY,))
    patterns = families.eager(built(*model, "eager"), input_ids=torch.tensor(TOKENS))[0]
    kept = [each for each in patterns if each is not None and each.shape[-1] == 13]
    held = [layer for layer in found.layers if layer.summary is not None]
    assert [layer.summary is not None for layer in found.layers] == [False, True] * 2
    for layer, pattern in zip(held, kept, strict=True):
        check(layer, pattern)
    reason = found.layers[0].why_not["summary"]
    assert reason == f"the layer has no attention; it has {mixer} in its place"


def test_a_hybrid_is_nan_where_it_does_not_attend():
    *model, mixer = HYBRIDS["jamba"]
    data = lens.measure(built(*model), TOKENS)
    held = np.isfinite(data["entropy"]).any(["head", "sequence", "span"])
    assert held.values.tolist() == [False, True, False, True]
    assert mixer in data["entropy"].attrs["why_not"]
    assert np.isfinite(data["massive_activation"]).all()
    assert "rows_by_layer" not in data


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_gives_the_true_reason(name):
    *model, reason = REFUSED[name]
    attention = None if name in ("mamba", "xlnet") else "sdpa"
    with pytest.raises((TypeError, NotImplementedError), match=reason):
        lens.measure(built(*model, attention), TOKENS)
