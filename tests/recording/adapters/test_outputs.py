"""Models whose heads put out something else than tokens are measured, each as its eager says."""

import families
import numpy as np
import pytest
import torch
import transformers as tf

import dva_lens as lens
from dva_lens.recording.patterns import summary_of
from dva_lens.recording.record import attach, record
from dva_lens.sites import STREAM, SUMMARY

GPT2 = {
    "vocab_size": families.VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64
}  # fmt: skip
UNPADDED = {**families.GROUPED, "pad_token_id": None}
IMAGES = {**families.SIZES, "intermediate_size": 48, "image_size": 12, "patch_size": 4}
HEADS = {
    "bert-classes": (tf.BertForSequenceClassification, tf.BertConfig, families.COMMON),
    "bert-answers": (tf.BertForQuestionAnswering, tf.BertConfig, families.COMMON),
    "bert-words": (tf.BertForTokenClassification, tf.BertConfig, families.COMMON),
    "llama-classes": (tf.LlamaForSequenceClassification, tf.LlamaConfig, families.GROUPED),
    "llama-reward": (
        tf.LlamaForSequenceClassification, tf.LlamaConfig, UNPADDED | {"num_labels": 1}
    ),
    "llama-answers": (tf.LlamaForQuestionAnswering, tf.LlamaConfig, families.GROUPED),
    "gpt2-classes": (tf.GPT2ForSequenceClassification, tf.GPT2Config, GPT2),
    "vit-classes": (tf.ViTForImageClassification, tf.ViTConfig, IMAGES),
}  # fmt: skip
HEADS["clip-classes"] = (
    tf.CLIPForImageClassification,
    lambda attn_implementation, **sizes: tf.CLIPConfig(
        vision_config=sizes, attn_implementation=attn_implementation
    ),
    IMAGES | {"projection_dim": 16},
)
LENGTHS = np.array([13, 8])


def built(name, attention="sdpa"):
    cls, config, settings = HEADS[name]
    torch.manual_seed(0)
    model = cls(config(**settings, attn_implementation=attention)).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8.0 if weight.ndim > 1 else 1.0)
    return model


def inputs(name):
    generator = np.random.default_rng(0)
    if name.startswith(("vit", "clip")):
        return generator.standard_normal((2, 3, 12, 12)), None
    ids = generator.integers(3, families.VOCABULARY, (2, 13))
    return np.where(np.arange(13) < LENGTHS[:, None], ids, 0), LENGTHS


def patterns(name):
    """Return the patterns of the body, which needs no token of padding."""
    model, (data, lengths) = built(name, "eager").base_model, inputs(name)
    model = getattr(model, "vision_model", model)
    call = {model.main_input_name: torch.tensor(data)}
    if lengths is not None:
        call["attention_mask"] = torch.tensor(np.arange(13) < lengths[:, None]).long()
    return families.eager(model, **call)[0]


@pytest.mark.parametrize("name", HEADS)
def test_a_model_with_a_head_of_another_kind_is_measured_as_its_eager_says(name):
    data, lengths = inputs(name)
    with families.exact():
        found = record(built(name), data, lengths)
    assert found.loss is None
    assert found.provenance["fidelity_output"] < 1e-9
    for layer, pattern in zip(found.layers, patterns(name), strict=True):
        causal = name.startswith(("llama", "gpt2"))
        expected = summary_of(pattern.numpy(), found.lengths, causal=causal)
        for field in ("entropy", "largest", "first_mass", "distance", "received"):
            np.testing.assert_allclose(
                getattr(layer.summary, field), getattr(expected, field), atol=1e-9, err_msg=field
            )


@pytest.mark.parametrize("name", HEADS)
def test_its_loss_is_none_and_says_why(name):
    data = lens.measure(built(name), inputs(name)[0], statistics=("entropy", "loss"))
    assert np.isfinite(data["entropy"]).any()
    assert np.isnan(data["loss"]).all()
    assert data["loss"].attrs["why_not"] == "the model does not predict a next token"


@pytest.mark.parametrize("sites", [(STREAM,), (SUMMARY, STREAM)])
def test_images_without_their_head_have_a_place_for_every_patch(sites):
    found = record(built("vit-classes"), inputs("vit-classes")[0], sites=sites)
    assert found.lengths.tolist() == [10, 10]
    assert found.layers[0].stream.norm.shape == (2, 10)


def test_whoever_attaches_may_run_the_model_with_its_head():
    model, (ids, lengths) = built("llama-classes"), inputs("llama-classes")
    mask = torch.tensor(np.arange(13) < lengths[:, None]).long()
    with torch.no_grad(), attach(model, (SUMMARY,)) as recorder:
        model(input_ids=torch.tensor(ids), attention_mask=mask)
        layers = recorder.take(2)
    found = record(model, ids, lengths, sites=(SUMMARY,))
    for one, other in zip(layers, found.layers, strict=True):
        np.testing.assert_array_equal(one.summary.entropy, other.summary.entropy)


def test_what_a_model_says_of_an_input_that_it_does_not_take_is_named_as_its_own():
    model = built("llama-answers")
    model.base_model.register_forward_pre_hook(refuse)
    with pytest.raises(ValueError, match=r"^LlamaModel does not run over input_ids of shape"):
        record(model, np.array([[3, 4, 5]]), sites=(SUMMARY,))


def refuse(module, args):
    raise KeyError("sounds")
