"""Tiny random models of the Hugging Face families, built on the spot."""

import functools
from unittest import mock

import torch
import transformers as tf

VOCABULARY = 61
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
COMMON = {
    **SIZES,
    "vocab_size": VOCABULARY,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**COMMON, "num_key_value_heads": 2}
SLIDING = ["sliding_attention", "full_attention"]

FAMILIES = {
    "gpt2": (
        tf.GPT2LMHeadModel,
        lambda: tf.GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64,
            bos_token_id=1, eos_token_id=2,
        ),
    ),
    "llama": (tf.LlamaForCausalLM, lambda: tf.LlamaConfig(**GROUPED)),
    "mistral": (tf.MistralForCausalLM, lambda: tf.MistralConfig(**GROUPED, sliding_window=5)),
    "qwen2": (
        tf.Qwen2ForCausalLM,
        lambda: tf.Qwen2Config(
            **GROUPED, use_sliding_window=True, sliding_window=5, layer_types=SLIDING
        ),
    ),
    "qwen3": (tf.Qwen3ForCausalLM, lambda: tf.Qwen3Config(**GROUPED, head_dim=8)),
    "gemma2": (
        tf.Gemma2ForCausalLM,
        lambda: tf.Gemma2Config(
            **GROUPED, head_dim=8, query_pre_attn_scalar=8, sliding_window=5,
            attn_logit_softcapping=2.0, layer_types=SLIDING,
        ),
    ),
    "gemma3": (
        tf.Gemma3ForCausalLM,
        lambda: tf.Gemma3TextConfig(
            **GROUPED, head_dim=8, query_pre_attn_scalar=8, sliding_window=5, layer_types=SLIDING
        ),
    ),
    "gpt-oss": (
        tf.GptOssForCausalLM,
        lambda: tf.GptOssConfig(
            **GROUPED, head_dim=8, sliding_window=5, layer_types=SLIDING,
            num_local_experts=2, num_experts_per_tok=1,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        ),
    ),
    "gpt-neox": (tf.GPTNeoXForCausalLM, lambda: tf.GPTNeoXConfig(**COMMON)),
    "opt": (
        tf.OPTForCausalLM,
        lambda: tf.OPTConfig(
            **SIZES, vocab_size=VOCABULARY, ffn_dim=48, max_position_embeddings=64,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, word_embed_proj_dim=32,
        ),
    ),
    "phi3": (tf.Phi3ForCausalLM, lambda: tf.Phi3Config(**GROUPED, sliding_window=5)),
    "olmo2": (tf.Olmo2ForCausalLM, lambda: tf.Olmo2Config(**GROUPED)),
    "bert": (tf.BertForMaskedLM, lambda: tf.BertConfig(**COMMON)),
    "roberta": (tf.RobertaForMaskedLM, lambda: tf.RobertaConfig(**COMMON)),
    "vit": (
        tf.ViTModel,
        lambda: tf.ViTConfig(**SIZES, intermediate_size=48, image_size=12, patch_size=4),
    ),
}  # fmt: skip
LANGUAGE = tuple(name for name in FAMILIES if name != "vit")
DECODERS = tuple(name for name in LANGUAGE if name not in ("bert", "roberta"))


@functools.cache
def _state(name, sharp):
    torch.manual_seed(0)
    cls, config = FAMILIES[name]
    model = cls(config())
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim > 1 and "embed" not in key:
                parameter.mul_(sharp)
            elif "sink" in key:
                parameter.normal_()
    return {key: value.clone() for key, value in model.state_dict().items()}


def family(name, *, attention=None, dtype=torch.float32, sharp=8.0):
    """Return a model with weights large enough for its attention to be far from uniform.

    Calls with the same name and sharpness return equal weights in models of their own.
    """
    state = _state(name, sharp)
    cls, config = FAMILIES[name]
    settings = config()
    if attention is not None:
        settings._attn_implementation = attention
    if dtype == torch.float64:
        settings._experts_implementation = "eager"  # grouped products know no float64
    model = cls(settings)
    model.load_state_dict(state)
    return model.to(dtype).eval()


SOFTMAX = torch.nn.functional.softmax


def _softmax(scores, dim=None, dtype=None, **options):
    return SOFTMAX(scores, dim, dtype=None if scores.dtype == torch.float64 else dtype, **options)


def exact():
    """Keep the weights of models in float64; most eager attentions round them to float32."""
    return mock.patch.object(torch.nn.functional, "softmax", _softmax)


@torch.no_grad()
def eager(model, **inputs):
    """Return the pattern and the keys' values of every layer from a model's eager attention.

    A model in float64 keeps its weights in float64.
    """
    with exact():
        output = model(**inputs, output_attentions=True, output_hidden_states=True)
    return output.attentions, output.hidden_states, output
