import pytest
import torch
from small_models import SIZE, random_tokens, sharp, sharp_preset
from transformers import BertConfig, BertModel, GPT2LMHeadModel, LlamaForCausalLM

from dva_lens.models.exchange import from_hugging_face, to_hugging_face
from dva_lens.models.presets import preset

TOKENS = random_tokens()
MODELS = {
    "llama": SIZE.config(),
    "grouped": SIZE.config(kv_heads=1),
    "tied": SIZE.config(tied=True),
    "biases": SIZE.config(biases=True),
    "wide heads": SIZE.config(qk_dim=24, value_dim=24),
    "gpt2": preset("gpt2-style", SIZE),
}


@pytest.mark.parametrize("name", MODELS)
def test_weights_go_to_hugging_face_and_back(name):
    ours = sharp(MODELS[name], dtype=torch.float32, scale=4.0)
    theirs = to_hugging_face(ours)
    assert isinstance(theirs, GPT2LMHeadModel if name == "gpt2" else LlamaForCausalLM)
    with torch.no_grad():
        expected = ours(TOKENS)
        torch.testing.assert_close(theirs(TOKENS).logits, expected, rtol=0, atol=1e-5)
        back = from_hugging_face(theirs)
        assert torch.equal(back(TOKENS), expected)
    assert back.config.to_dict() | {"init_by_depth": None} == ours.config.changed(
        feedforward=back.config.feedforward
    ).to_dict() | {"init_by_depth": None}


@pytest.mark.parametrize("name", MODELS)
def test_random_hugging_face_models_come_over(name):
    theirs = to_hugging_face(sharp(MODELS[name], dtype=torch.float32))
    torch.manual_seed(0)
    fresh = type(theirs)(theirs.config).eval()
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        torch.testing.assert_close(
            from_hugging_face(fresh)(TOKENS), fresh(TOKENS).logits, rtol=0, atol=1e-5
        )


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("svformer", "value_source"),
        ("embedding-qk", "scores"),
        ("window", "visibility"),
        ("sigmoid", "rule"),
        ("sigma-reparam", "projections"),
        ("hashed", "projections"),
        ("dva", "value_form"),
        ("gated", "output"),
        ("denseformer", "depth_average"),
    ],
)
def test_what_hugging_face_does_not_know_is_named(name, axis):
    with pytest.raises(ValueError, match=f"LLaMA knows no {axis} like"):
        to_hugging_face(sharp_preset(name))


def test_other_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="all channels, got attended_width=6 of 32"):
        to_hugging_face(sharp_preset("partial"))
    with pytest.raises(ValueError, match="needs share_pattern_every=1, got 2"):
        to_hugging_face(sharp_preset("shared-pattern"))
    with pytest.raises(ValueError, match="needs share_kv_every=1"):
        to_hugging_face(sharp_preset("cla"))
    with pytest.raises(ValueError, match="GPT-2 needs kv_heads=2, got 1"):
        to_hugging_face(sharp(preset("gpt2-style", SIZE, kv_heads=1)))


def test_other_hugging_face_models_are_refused():
    small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)
    with pytest.raises(TypeError, match="got a BertModel"):
        from_hugging_face(BertModel(small))
    theirs = to_hugging_face(sharp(SIZE.config()))
    theirs.config.hidden_act = "gelu"
    with pytest.raises(ValueError, match="Only plain rotary positions and silu"):
        from_hugging_face(theirs)
