"""Which layers are recorded, and what is said of those that are built in another way."""

import families
import numpy as np
import pytest
import torch
import transformers as tf

from dva_lens.recording.adapters import adapter_of
from dva_lens.recording.adapters.anatomy import reads_images_alone, without_attention
from dva_lens.recording.record import record
from dva_lens.sites import STREAM, SUMMARY

LENGTHS = np.array([13, 8])
IDS = np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 13))
PADDED = np.where(np.arange(13) < LENGTHS[:, None], IDS, 0)
TOWER = {**families.SIZES, "intermediate_size": 48, "image_size": 16, "patch_size": 4}


def two_towers():
    """Return a model of images and text whose towers are equally deep, the images' first."""
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**TOWER, projection_dim=32),
        text_config=tf.LlamaConfig(**families.GROUPED), image_token_index=60,
    )  # fmt: skip
    torch.manual_seed(0)
    return tf.LlavaForConditionalGeneration(config).eval()


def hybrid():
    """Return a model whose first layer has no attention, and whose second has."""
    config = tf.JambaConfig(
        **families.GROUPED, num_experts=2, attn_layer_period=2, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=1, mamba_d_state=4, use_mamba_kernels=False,
    )  # fmt: skip
    torch.manual_seed(0)
    return tf.JambaForCausalLM(config).eval()


def test_the_layers_are_those_of_the_text_where_towers_are_equally_deep():
    model = two_towers()
    assert adapter_of(model).anatomy.names[0] == "model.language_model.layers.0"
    found = record(model, IDS, sites=(SUMMARY,))
    alone = tf.LlamaForCausalLM(model.config.text_config)
    alone.model.load_state_dict(model.model.language_model.state_dict())
    alone.lm_head.load_state_dict(model.lm_head.state_dict())
    expected = record(alone.eval(), IDS, sites=(SUMMARY,))
    for layer, want in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(layer.summary.entropy, want.summary.entropy)


def test_padding_is_known_before_any_layer_has_attended():
    found = record(hybrid(), PADDED, LENGTHS, sites=(STREAM, SUMMARY))
    alone = record(hybrid(), PADDED[1:, :8], sites=(STREAM, SUMMARY))
    for layer, want in zip(found.layers, alone.layers, strict=True):
        assert np.isnan(layer.stream.norm[1, 8:]).all()
        np.testing.assert_allclose(layer.stream.largest[1], want.stream.largest[0], rtol=1e-5)
        np.testing.assert_allclose(layer.stream.median[1], want.stream.median[0], rtol=1e-5)


def test_a_stream_that_is_no_single_stream_is_left_out_with_the_reason():
    config = tf.Gemma3nTextConfig(
        **families.GROUPED, head_dim=8, vocab_size_per_layer_input=families.VOCABULARY,
        hidden_size_per_layer_input=8, laurel_rank=4, num_kv_shared_layers=0,
        layer_types=families.SLIDING, sliding_window=5, activation_sparsity_pattern=[0.0, 0.0],
    )  # fmt: skip
    torch.manual_seed(0)
    found = record(tf.Gemma3nForCausalLM(config).eval(), PADDED, LENGTHS)
    for layer in found.layers:
        assert layer.stream is None
        assert "an array of shape (4, 2, 13, 32)" in layer.why_not["stream"]
        assert np.isfinite(layer.summary.entropy[0]).all()


def test_a_mixer_in_the_place_of_an_attention_is_named_though_it_has_its_name():
    class Layer(torch.nn.Module):
        def __init__(self, mixer):
            super().__init__()
            self.mixer, self.norm = mixer, torch.nn.LayerNorm(2)

    attending, other = Layer(torch.nn.MultiheadAttention(2, 1)), Layer(torch.nn.GRU(2, 2))
    reason = without_attention(other, [attending], [attending.mixer])
    assert reason == "the layer has no attention; it has GRU in its place"


def test_windows_cut_out_of_images_are_refused_by_name():
    config = tf.SwinConfig(
        embed_dim=8, num_heads=(1, 2), depths=(1, 1), window_size=2, image_size=16, patch_size=2
    )
    with pytest.raises(NotImplementedError, match="over 32 rows where 2 texts or images came in"):
        record(tf.SwinModel(config).eval(), np.zeros((2, 3, 16, 16), dtype=np.float32))


def test_a_model_of_images_and_texts_reads_texts_whatever_it_calls_its_main_input():
    with torch.device("meta"):
        model = tf.Blip2ForConditionalGeneration(tf.Blip2Config())
    assert model.main_input_name == "pixel_values"
    assert not reads_images_alone(model)
    assert reads_images_alone(tf.ViTModel(tf.ViTConfig(**TOWER)))


def test_a_model_that_is_no_stack_of_layers_says_so():
    config = tf.BltConfig()
    with pytest.raises(TypeError, match="does not say how many layers"):
        _ = adapter_of(_Named(config)).anatomy


class _Named(tf.PreTrainedModel):
    config_class = tf.BltConfig

    def __init__(self, config):
        super().__init__(config)
        self.embeddings = torch.nn.Linear(2, 2)
