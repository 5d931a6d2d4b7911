"""GGUF files of tiny models, written with the gguf package in llama.cpp's conventions."""

import json

import gguf
import numpy as np
import torch
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

F32, Q8 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0
TEXT = "the cat sat on the mat and the dog sat on the log while the rain fell on the roof"
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}: {{ message['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant: {% endif %}"
)
SPECIAL = ["<|end|>", "<|start|>"]


def byte_level(vocabulary=300):
    """Return a byte-level tokenizer trained on a sentence."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def tiny(kind="llama", vocabulary=300, seed=0):
    """Return a tiny model whose attention is far from uniform."""
    torch.manual_seed(seed)
    shape = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": vocabulary,
        "max_position_embeddings": 128, "bos_token_id": 1, "eos_token_id": 0, "pad_token_id": 0,
        "tie_word_embeddings": False,
    }  # fmt: skip
    config = {"llama": tf.LlamaConfig, "qwen2": tf.Qwen2Config}[kind](**shape)
    model = tf.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for each in model.parameters():
            if each.ndim == 2:
                each.mul_(8.0)
            elif each.shape[0] != shape["hidden_size"] or kind == "llama":
                each.add_(torch.randn_like(each) * 0.1)
    return model


def write_gguf(path, model, *, tokenizer=None, kind=F32, changes=None, without=()):
    """Write a model of `tiny` as a GGUF file; matrices in blocks of `kind`."""
    config, name = model.config, model.config.model_type
    writer = gguf.GGUFWriter(path, name)
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    if name == "llama":
        writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    for key, value in (changes or {}).items():
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(key, value)
    if tokenizer is not None:
        _add_tokenizer(writer, tokenizer)
    for key, array in tensors(model).items():
        if key in without:
            continue
        if array.ndim == 2 and kind is not F32:
            writer.add_tensor(key, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(key, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(model):
    """Return the weights of a model under their names and in the order of llama.cpp."""
    config = model.config
    arch = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[config.model_type]
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    found = {}
    for key, weight in model.state_dict().items():
        array = weight.float().numpy()
        for part, count in heads.items():
            if part in key and config.model_type == "llama":  # pairs of channels side by side
                array = array.reshape(count, 2, -1, *array.shape[1:])
                array = array.swapaxes(1, 2).reshape(weight.shape)
        found[names.get_name(key, try_suffixes=(".weight", ".bias"))] = np.ascontiguousarray(array)
    return found


def in_blocks(model, kind):
    """Return the model with its matrices replaced by what their blocks stand for."""
    with torch.no_grad():
        for each in model.parameters():
            if each.ndim == 2:
                blocks = gguf.quants.quantize(each.numpy(), kind)
                each.copy_(torch.from_numpy(gguf.quants.dequantize(blocks, kind)))
    return model


def _add_tokenizer(writer, tokenizer):
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda each: each[1])
    merges = [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([word for word, _ in vocabulary])
    writer.add_token_types([3 if word in SPECIAL else 1 for word, _ in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_chat_template(TEMPLATE)
