"""Exchange of weights with Hugging Face's LLaMA and GPT-2, exactly and in both directions.

Only models made of what those two know can be exchanged; the axis that they do not know is named.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from dva_lens.mechanisms.feedforward.gelu import GeluMlp
from dva_lens.mechanisms.feedforward.swiglu import SwiGlu
from dva_lens.mechanisms.norm.layer import LayerNorm
from dva_lens.mechanisms.norm.rms import RmsNorm
from dva_lens.mechanisms.positions.learned import Learned
from dva_lens.mechanisms.positions.rotary import Rotary
from dva_lens.mechanisms.tables import AXES
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import Decoder

STYLES = {
    "LLaMA": {"feedforward": "swiglu", "positions": "rotary", "norm": "rms"},
    "GPT-2": {"feedforward": "gelu", "positions": "learned", "norm": "layer"},
}
BOTH = {
    "mixer": "attention",
    "scores": "dot-product",
    "rule": "softmax",
    "visibility": "all",
    "composition": "none",
    "projections": "plain",
    "value_source": "own",
    "value_form": "static",
    "output": "plain",
    "depth_average": "none",
}


def to_hugging_face(model: Decoder) -> LlamaForCausalLM | GPT2LMHeadModel:
    """Return the same model as a Hugging Face module.

    Raises
    ------
    ValueError
        The model is made of something that Hugging Face's LLaMA or GPT-2 does not know; the
        message names the axis or the size.
    """
    _check_exchangeable(model.config)
    positions = model.config.positions
    made = (
        LlamaForCausalLM(_llama(model.config, positions.base))
        if isinstance(positions, Rotary)
        else GPT2LMHeadModel(_gpt2(model.config))
    )
    nn.Module.to(made, next(model.parameters()).dtype).eval()
    theirs = made.state_dict()
    made_like = _llama_pairs if isinstance(positions, Rotary) else _gpt2_pairs
    ours = model.state_dict()
    with torch.no_grad():
        for names, name, turned in made_like(model.config):
            weight = torch.cat([ours[each] for each in names])
            theirs[name].copy_(weight.T if turned else weight)
    return made


def from_hugging_face(theirs: PreTrainedModel) -> Decoder:
    """Return a Hugging Face LLaMA or GPT-2 as a model of this package.

    Raises
    ------
    TypeError
        The model is neither a LlamaForCausalLM nor a GPT2LMHeadModel.
    ValueError
        Its configuration holds what a model of this package cannot be made of.
    """
    if isinstance(theirs, LlamaForCausalLM):
        config = _from_llama(theirs.config)
        pairs = _llama_pairs(config)
    elif isinstance(theirs, GPT2LMHeadModel):
        config = _from_gpt2(theirs.config)
        pairs = _gpt2_pairs(config)
    else:
        raise TypeError(
            f"Only LlamaForCausalLM and GPT2LMHeadModel can be exchanged, got a "
            f"{type(theirs).__name__}."
        )
    model = Decoder(config).to(theirs.dtype).eval()
    ours, held = model.state_dict(), theirs.state_dict()
    with torch.no_grad():
        for names, name, turned in pairs:
            weight: Tensor = held[name].T if turned else held[name]
            parts = weight.split([len(ours[each]) for each in names])
            for each, part in zip(names, parts, strict=True):
                ours[each].copy_(part)
    return model


def _check_exchangeable(config: ModelConfig) -> None:
    style = "GPT-2" if isinstance(config.positions, Learned) else "LLaMA"
    known = STYLES[style] | BOTH
    for axis, table in AXES.items():
        if table.name_of(getattr(config, axis)) != known[axis]:
            raise ValueError(
                f"Hugging Face's {style} knows no {axis} like {getattr(config, axis)!r}."
            )
    if config.attended_width:
        raise ValueError(
            f"Hugging Face's {style} attends to all channels, got attended_width="
            f"{config.attended_width} of {config.width}."
        )
    if config.share_pattern_every > 1:
        raise ValueError(
            f"Hugging Face's {style} needs share_pattern_every=1, got "
            f"{config.share_pattern_every}."
        )
    if config.share_kv_every > 1 or config.qk_dim != config.value_dim:
        raise ValueError(
            f"Hugging Face's {style} needs share_kv_every=1 and equal qk_dim and value_dim, got "
            f"{config.share_kv_every}, {config.qk_dim} and {config.value_dim}."
        )
    gpt2_only = {"tied": True, "biases": True, "kv_heads": config.heads}
    gpt2_only["qk_dim"] = config.width // config.heads
    for name, needed in gpt2_only.items() if style == "GPT-2" else ():
        if getattr(config, name) != needed:
            raise ValueError(
                f"Hugging Face's GPT-2 needs {name}={needed}, got {getattr(config, name)}."
            )


def _llama(config: ModelConfig, base: float) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.width,
        intermediate_size=config.feedforward.inner(config.shape),
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        head_dim=config.qk_dim,
        max_position_embeddings=config.context,
        rms_norm_eps=config.norm.epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": base},
        tie_word_embeddings=config.tied,
        attention_bias=config.biases,
        mlp_bias=config.biases,
        initializer_range=config.init_std,
        bos_token_id=None,
        eos_token_id=None,
    )


def _from_llama(theirs: Any) -> ModelConfig:
    rope: dict[str, Any] = dict(theirs.rope_parameters or {})
    if rope.get("rope_type", "default") != "default" or theirs.hidden_act != "silu":
        raise ValueError(
            f"Only plain rotary positions and silu can be exchanged, got {rope} and "
            f"{theirs.hidden_act!r}."
        )
    if theirs.attention_bias != theirs.mlp_bias:
        raise ValueError("Biases must be in attention and feed-forward network, or in neither.")
    return ModelConfig(
        vocabulary=theirs.vocab_size,
        context=theirs.max_position_embeddings,
        layers=theirs.num_hidden_layers,
        width=theirs.hidden_size,
        heads=theirs.num_attention_heads,
        kv_heads=theirs.num_key_value_heads,
        qk_dim=theirs.head_dim,
        value_dim=theirs.head_dim,
        feedforward=SwiGlu(hidden=theirs.intermediate_size),
        positions=Rotary(base=float(rope.get("rope_theta", 10000.0))),
        norm=RmsNorm(epsilon=theirs.rms_norm_eps),
        tied=bool(theirs.tie_word_embeddings),
        biases=theirs.attention_bias,
        init_std=theirs.initializer_range,
    )


def _gpt2(config: ModelConfig) -> GPT2Config:
    return GPT2Config(
        vocab_size=config.vocabulary,
        n_positions=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        n_inner=config.feedforward.inner(config.shape),
        layer_norm_epsilon=config.norm.epsilon,
        initializer_range=config.init_std,
        bos_token_id=None,
        eos_token_id=None,
    )


def _from_gpt2(theirs: Any) -> ModelConfig:
    odd = theirs.scale_attn_by_inverse_layer_idx or not theirs.scale_attn_weights
    if theirs.activation_function != "gelu_new" or odd:
        raise ValueError(
            f"Only gelu_new and plain scaling can be exchanged, got "
            f"{theirs.activation_function!r}."
        )
    return ModelConfig(
        vocabulary=theirs.vocab_size,
        context=theirs.n_positions,
        layers=theirs.n_layer,
        width=theirs.n_embd,
        heads=theirs.n_head,
        feedforward=GeluMlp(hidden=theirs.n_inner or 0),
        positions=Learned(),
        norm=LayerNorm(epsilon=theirs.layer_norm_epsilon),
        tied=True,
        biases=True,
        init_std=theirs.initializer_range,
        init_by_depth=True,
    )


Pairs = Iterator[tuple[tuple[str, ...], str, bool]]


def _llama_pairs(config: ModelConfig) -> Pairs:
    """Yield our names, theirs, and whether theirs is transposed."""
    inner = {
        "ln1": "input_layernorm",
        "ln2": "post_attention_layernorm",
        "attn.query": "self_attn.q_proj",
        "attn.key": "self_attn.k_proj",
        "attn.value": "self_attn.v_proj",
        "attn.out": "self_attn.o_proj",
        "mlp.gate": "mlp.gate_proj",
        "mlp.up": "mlp.up_proj",
        "mlp.down": "mlp.down_proj",
    }
    yield ("embed.weight",), "model.embed_tokens.weight", False
    yield ("ln_final.weight",), "model.norm.weight", False
    if not config.tied:
        yield ("unembed.linear.weight",), "lm_head.weight", False
    for layer in range(config.layers):
        for ours, theirs in inner.items():
            kinds = ["weight"] + ["bias"] * (config.biases and not ours.startswith("ln"))
            for kind in kinds:
                name = f"model.layers.{layer}.{theirs}.{kind}"
                yield (f"blocks.{layer}.{ours}.{kind}",), name, False


def _gpt2_pairs(config: ModelConfig) -> Pairs:
    """Yield our names, theirs, and whether theirs is transposed."""
    inner = {
        ("ln1",): "ln_1",
        ("ln2",): "ln_2",
        ("attn.query", "attn.key", "attn.value"): "attn.c_attn",
        ("attn.out",): "attn.c_proj",
        ("mlp.up",): "mlp.c_fc",
        ("mlp.down",): "mlp.c_proj",
    }
    yield ("embed.weight",), "transformer.wte.weight", False
    yield ("pos_embed.weight",), "transformer.wpe.weight", False
    for kind in ("weight", "bias"):
        yield (f"ln_final.{kind}",), f"transformer.ln_f.{kind}", False
        for layer in range(config.layers):
            for ours, theirs in inner.items():
                names = tuple(f"blocks.{layer}.{each}.{kind}" for each in ours)
                turned = kind == "weight" and not theirs.startswith("ln")
                yield names, f"transformer.h.{layer}.{theirs}.{kind}", turned
