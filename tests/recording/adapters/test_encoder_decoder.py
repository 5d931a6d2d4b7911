"""Every part of a model with two towers, against what its eager attention says, in float64."""

from dataclasses import replace

import families
import numpy as np
import pytest
import torch
import transformers as tf
import two_towers

import dva_lens as lens
from dva_lens.recording.adapters import across, adapter_of, parts_of
from dva_lens.recording.adapters.parts import towers
from dva_lens.recording.record import attach
from dva_lens.sites import DYNAMICS, MIX, STREAM, SUMMARY, VALUES, WRITTEN

SITES = (SUMMARY, VALUES, WRITTEN, STREAM, MIX, DYNAMICS)
SOURCE, TARGET = (11, 8), (7, 4)
LENGTHS = {"encoder": (SOURCE, SOURCE), "decoder": (TARGET, TARGET), "cross": (TARGET, SOURCE)}
EXACT = 1e-9


def texts(*, left=False):
    """Return two sources and their targets, the second of each padded."""
    random = torch.Generator().manual_seed(1)
    found = {}
    for name, lengths in (("", SOURCE), ("decoder_", TARGET)):
        place = torch.arange(lengths[0])
        ends = torch.tensor(lengths)[:, None]
        real = place >= lengths[0] - ends if left and not name else place < ends
        ids = torch.randint(3, families.VOCABULARY, (2, lengths[0]), generator=random)
        found[f"{name}input_ids"] = torch.where(real, ids, 0)
        found[f"{name}attention_mask"] = real.long()
    return found


def recorded(model, part, inputs):
    with families.exact(), torch.no_grad(), attach(model, SITES, part=part) as recorder:
        model(**inputs, use_cache=False)
        return recorder.take(adapter_of(model, part).depth)


def patterns_of(output, part):
    return getattr(output, "cross_attentions" if part == "cross" else f"{part}_attentions")


def check(layer, pattern, part):
    """Compare every number of a layer with those of its pattern, sequence by sequence."""
    for row, (queries, keys) in enumerate(zip(*LENGTHS[part], strict=True)):
        weights = pattern[row, :, :queries, :keys]
        found = layer.summary
        for name, truth in {
            "entropy": torch.special.entr(weights).sum(-1),
            "square_sum": weights.square().sum(-1),
            "largest": weights.amax(-1),
            "first_mass": weights[..., 0],
            "row_mass": weights.sum(-1),
        }.items():
            ours = getattr(found, name)[row, :, :queries]
            np.testing.assert_allclose(ours, truth.numpy(), atol=EXACT, err_msg=name)
        np.testing.assert_allclose(
            found.received[row, :, :keys], weights.sum(1).numpy(), atol=EXACT
        )
        assert np.isnan(found.received[row, :, keys:]).all()
        seen = (weights > 0).any(0).sum(-1)
        assert found.visible[row, :queries].tolist() == seen.tolist()
        assert (found.visible[row, queries:] == -1).all()


@pytest.mark.parametrize("name", two_towers.MEASURED)
def test_every_part_is_what_eager_attention_says(name):
    inputs = texts()
    model = two_towers.built(name)
    truth = two_towers.eager(two_towers.built(name, "eager"), **inputs)
    for part in parts_of(model):
        layers = recorded(model, part, inputs)
        for layer, pattern in zip(layers, patterns_of(truth, part), strict=True):
            check(layer, pattern, part)
            assert np.isnan(layer.summary.distance).all() == (part == "cross")
            assert layer.values.norm.shape[-1] == LENGTHS[part][1][0]
            assert layer.written is not None
            assert layer.stream.norm.shape[-1] == LENGTHS[part][0][0]


@pytest.mark.parametrize("name", ["t5", "bart", "switch"])
def test_sources_padded_on_the_left_are_the_same_sources(name):
    """Learned positions differ, so layouts are compared with eager attention, column by column."""
    inputs = texts(left=True)
    model = two_towers.built(name)
    truth = two_towers.eager(two_towers.built(name, "eager"), **inputs)
    for part in ("encoder", "cross"):
        for layer, pattern in zip(
            recorded(model, part, inputs), patterns_of(truth, part), strict=True
        ):
            keys = pattern[1, :, :, 3:]
            rows = keys[:, 3:] if part == "encoder" else keys[:, :4]
            found = layer.summary.entropy[1, :, : rows.shape[1]]
            np.testing.assert_allclose(found, torch.special.entr(rows).sum(-1).numpy(), atol=EXACT)


def scaled(plain):
    def rule_of(*asked, bias):
        rule = plain(*asked, bias=bias)
        return replace(rule, scale=1.01 * rule.scale)

    return rule_of


PLANTED = [
    ("t5", "encoder", "rule_of", scaled),
    ("t5", "decoder", "rule_of", scaled),
    ("t5", "cross", "rule_of", scaled),
    ("t5", "encoder", "bias_of", lambda plain: lambda *_: 0.0),
    ("t5", "decoder", "bias_of", lambda plain: lambda *_: 0.0),
    ("bart", "cross", "rule_of", scaled),
    ("bart", "cross", "_sight", lambda plain: lambda *_: across.WHOLE),
]


@pytest.mark.parametrize(("name", "part", "place", "change"), PLANTED)
def test_an_attention_that_is_not_the_models_is_refused(name, part, place, change, monkeypatch):
    model, inputs = two_towers.built(name, sharp=2.0), texts()
    with torch.no_grad(), attach(model, part=part) as recorder:
        model(**inputs, use_cache=False)
        assert recorder.fidelity["fidelity_attention_rows"] > 0
    monkeypatch.setattr(across, place, change(getattr(across, place)))
    refused = "attends otherwise than the model's own attention"
    with torch.no_grad(), attach(model, part=part), pytest.raises(RuntimeError, match=refused):
        model(**inputs, use_cache=False)


def test_what_values_write_in_cross_attention_goes_through_its_own_projection():
    inputs = texts()
    model = two_towers.built("bart")
    layer = recorded(model, "cross", inputs)[0]
    attention = model.model.decoder.layers[0].encoder_attn
    with torch.no_grad():
        states = model.model.encoder(
            inputs["input_ids"], attention_mask=inputs["attention_mask"]
        ).last_hidden_state
        value = attention.v_proj(states).unflatten(-1, (2, 16)).transpose(1, 2)
        into = attention.out_proj.weight.T.unflatten(0, (2, 16))
        truth = (value @ into).norm(dim=-1)
    np.testing.assert_allclose(layer.written.norm[0], truth[0].numpy(), rtol=1e-9)
    np.testing.assert_allclose(layer.values.norm[0], value.norm(dim=-1)[0].numpy(), rtol=1e-9)


def test_attention_of_a_bert_to_bert_is_told_apart():
    config = tf.EncoderDecoderConfig(
        encoder=tf.BertConfig(**families.COMMON).to_dict(),
        decoder=tf.BertConfig(
            **families.COMMON, is_decoder=True, add_cross_attention=True
        ).to_dict(),
        decoder_start_token_id=1,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = tf.EncoderDecoderModel(config=config).double().eval()
    inputs = texts()
    layers = {part: recorded(model, part, inputs) for part in parts_of(model)}
    model.set_attn_implementation("eager")
    truth = two_towers.eager(model, **inputs)
    for part, found in layers.items():
        for layer, pattern in zip(found, patterns_of(truth, part), strict=True):
            check(layer, pattern, part)


def test_a_model_attends_as_before_afterwards():
    model, inputs = two_towers.built("t5"), texts()
    before = model.config._attn_implementation
    recorded(model, "cross", inputs)
    assert model.config._attn_implementation == before
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_gradients_flow_through_parts_that_are_not_recorded():
    model, inputs = two_towers.built("t5"), texts()
    with attach(model, [SUMMARY], part="cross"):
        model(**inputs, use_cache=False).logits.sum().backward()
    bias = model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias
    assert bias.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, r"measured in parts: one of 'encoder', 'decoder', 'cross' with part="),
        ({"part": "middle"}, r"has no part 'middle'; its parts are 'encoder'"),
    ],
)
def test_a_part_must_be_named_and_known(options, reason):
    with pytest.raises(ValueError, match=reason):
        attach(two_towers.built("bart"), **options)


def test_a_decoder_that_is_the_model_of_both_is_looked_into(monkeypatch):
    model = two_towers.built("bart")
    usual = towers(model)
    monkeypatch.setattr(model, "get_decoder", lambda: model.model)
    assert towers(model) == usual


def test_one_stack_has_no_parts():
    model = families.family("llama")
    assert parts_of(model) == ()
    with pytest.raises(ValueError, match=r"is one stack of layers and has no part 'encoder'"):
        attach(model, part="encoder")


def test_a_cache_is_refused_by_name():
    model, inputs = two_towers.built("bart"), texts()
    with (
        torch.no_grad(),
        attach(model, [SUMMARY], part="decoder"),
        pytest.raises(NotImplementedError, match="a cache"),
    ):
        model.generate(inputs["input_ids"], max_new_tokens=4, min_new_tokens=4)


def test_attention_in_code_of_its_own_is_refused_by_name():
    model, inputs = two_towers.built("longt5"), texts()
    layers = recorded(model, "decoder", inputs)
    truth = two_towers.eager(two_towers.built("longt5", "eager"), **inputs)
    for layer, pattern in zip(layers, truth.decoder_attentions, strict=True):
        check(layer, pattern, "decoder")


WHISPER = {
    "vocab_size": families.VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "num_mel_bins": 8, "max_source_positions": 12,
    "max_target_positions": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 1,
}  # fmt: skip


def test_a_model_that_hears_is_recorded_where_it_is_run_and_not_measured():
    torch.manual_seed(0)
    model = tf.WhisperForConditionalGeneration(tf.WhisperConfig(**WHISPER)).double().eval()
    sounds = torch.randn(1, 8, 24, dtype=torch.float64)
    inputs = {"input_features": sounds, "decoder_input_ids": torch.tensor([[1, 5, 7, 9]])}
    layers = {part: recorded(model, part, inputs) for part in parts_of(model)}
    model.set_attn_implementation("eager")
    truth = two_towers.eager(model, **inputs)
    for part, found in layers.items():
        for layer, pattern in zip(found, patterns_of(truth, part), strict=True):
            entropy = torch.special.entr(pattern).sum(-1).numpy()
            np.testing.assert_allclose(layer.summary.entropy, entropy, atol=EXACT)
    with pytest.raises(TypeError, match="reads input_features and no text"):
        lens.measure(model, [[3, 4, 5]], part="encoder")
