"""Tiny models from the classes of their configurations, as far as these take small sizes."""

import pytest
import transformers as tf
from dva_lens.analyses.architectures import building


def test_every_size_is_small_and_special_tokens_are_apart_from_words():
    config = building.tiny(tf.PaliGemmaConfig, {})
    assert config.text_config.hidden_size == config.vision_config.hidden_size == 32
    assert config.image_token_id >= 64


def test_what_a_class_says_goes_into_the_configurations_inside_its_own():
    config = building.build("EncoderDecoderModel").config
    assert config.decoder.add_cross_attention
    assert not config.encoder.is_decoder
    assert config.decoder_start_token_id == 1


def test_a_model_that_is_not_tiny_is_not_built(monkeypatch):
    monkeypatch.setattr(building, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"GPT2LMHeadModel has \d+ parameters at its smallest"):
        building.build("GPT2LMHeadModel")


def test_a_configuration_that_refuses_its_own_defaults_has_none():
    assert building._usual(tf.GPT2Config) is not None
    assert building._usual(tf.Gemma4AssistantConfig) is None
