"""Tiny random models with an encoder and a decoder, built on the spot."""

import families
import torch
import transformers as tf

BART = {
    "vocab_size": families.VOCABULARY, "d_model": 32, "encoder_layers": 2, "decoder_layers": 3,
    "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip
T5 = {
    "vocab_size": families.VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2,
    "num_decoder_layers": 3, "num_heads": 4, "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16, "decoder_start_token_id": 0,
}  # fmt: skip
GEMMA = families.GROUPED | {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5}
FAMILIES = {
    "t5": (tf.T5ForConditionalGeneration, tf.T5Config, T5),
    "mt5": (tf.MT5ForConditionalGeneration, tf.MT5Config, T5),
    "umt5": (tf.UMT5ForConditionalGeneration, tf.UMT5Config, T5),
    "switch": (
        tf.SwitchTransformersForConditionalGeneration, tf.SwitchTransformersConfig,
        T5 | {"num_experts": 2, "num_sparse_encoder_layers": 0, "num_sparse_decoder_layers": 0},
    ),
    "longt5": (
        tf.LongT5ForConditionalGeneration, tf.LongT5Config, T5 | {"local_radius": 5},
    ),
    "bart": (tf.BartForConditionalGeneration, tf.BartConfig, BART),
    "mbart": (tf.MBartForConditionalGeneration, tf.MBartConfig, BART),
    "marian": (tf.MarianMTModel, tf.MarianConfig, BART),
    "pegasus": (tf.PegasusForConditionalGeneration, tf.PegasusConfig, BART),
    "blenderbot": (tf.BlenderbotForConditionalGeneration, tf.BlenderbotConfig, BART),
    "m2m": (tf.M2M100ForConditionalGeneration, tf.M2M100Config, BART),
    "plbart": (tf.PLBartForConditionalGeneration, tf.PLBartConfig, BART),
    "t5gemma": (
        tf.T5GemmaForConditionalGeneration,
        lambda **options: tf.T5GemmaConfig(
            encoder=GEMMA, decoder=GEMMA, vocab_size=families.VOCABULARY, **options
        ),
        {},
    ),
}  # fmt: skip

MEASURED = tuple(name for name in FAMILIES if name != "longt5")
"""LongT5 is aside: its encoder attends in code of its own."""


def built(name, attention=None, *, cls=None, sharp=8.0):
    """Return a model in float64 whose attention is far from uniform."""
    usual, config, settings = FAMILIES[name]
    torch.manual_seed(0)
    chosen = {} if attention is None else {"attn_implementation": attention}
    model = (cls or usual)(config(**settings, **chosen)).double().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim > 1 and "embed" not in key and "shared" not in key:
                weight.mul_(sharp if "ttention" in key or "attn" in key else 2.0)
    return model


@torch.no_grad()
def eager(model, **inputs):
    """Return what a model puts out with eager attention, weights in float64."""
    with families.exact():
        return model(**inputs, output_attentions=True, output_hidden_states=True)
