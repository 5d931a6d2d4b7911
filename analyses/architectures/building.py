"""A tiny random model of any class, from the class of its configuration alone."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeGuard

import torch
import transformers
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from .kinds import CLASSES, LAYERS, TYPES
from .sizes import ABSENT, FIRST_SPECIAL, HEADS, SIZES

START = "decoder_start_token_id"
ORDINARY = {"pad_token_id": 0, "bos_token_id": 1, START: 1, "eos_token_id": 2}
SHARP = 8.0
LARGEST = 50_000_000


def build(name: str, *, attention: str | None = None) -> PreTrainedModel:
    """Return a random model of a class, with attention that is far from uniform.

    Calls with the same name return equal weights. `attention` is the implementation it attends
    with; default: its own choice.

    Raises
    ------
    ValueError
        The model is not tiny.
    """
    cls: Any = getattr(transformers, name)
    config = tiny(cls.config_class, {})
    _set(config, CLASSES.get(name, {}))
    _choose(config, attention)
    if getattr(config, "is_encoder_decoder", False) and getattr(config, START, None) is None:
        setattr(config, START, ORDINARY[START])  # what the files of a trained model say
    with torch.device("meta"):
        size = sum(each.numel() for each in cls(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{name} has {size} parameters at its smallest known size.")
    torch.manual_seed(0)
    model = cls(config).to(torch.get_default_dtype()).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim > 1 and "att" in key and "embed" not in key:
                weight.mul_(SHARP)
    return model


def tiny(cls: type[PreTrainedConfig], ids: dict[str, int]) -> PreTrainedConfig:
    """Return the configuration of a tiny model; `ids` collects the special tokens of all parts."""
    special = TYPES.get(getattr(cls, "model_type", ""), {})
    given: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        default = None if field.default is dataclasses.MISSING else field.default
        if _is_token(field.name, default):
            known = ORDINARY.get(field.name)
            fresh = FIRST_SPECIAL + len(ids)
            given[field.name] = ids.setdefault(field.name, fresh) if known is None else known
        elif field.name in SIZES and _is_size(field.name, default):
            given[field.name] = SIZES[field.name]
    if "kv_lora_rank" in given and "num_key_value_heads" in given:
        given["num_key_value_heads"] = HEADS  # keys and values are unfolded for every head
    given |= {name: tiny(part, ids) for name, part in _parts(cls).items() if name not in special}
    return _with_every_kind(cls, {**given, **special})


def _set(config: PreTrainedConfig, chosen: Mapping[str, Any]) -> None:
    for name, value in chosen.items():
        if isinstance(value, Mapping):
            _set(getattr(config, name), value)
        else:
            setattr(config, name, value)


def _with_every_kind(cls: type[PreTrainedConfig], given: dict[str, Any]) -> PreTrainedConfig:
    """Return a configuration with one layer at least of every kind that a large model has."""
    found: Any = cls(**given)
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if LAYERS not in names or LAYERS in given or "num_hidden_layers" not in given:
        return found
    large: Any = cls()
    kinds = list(dict.fromkeys(getattr(large, LAYERS, None) or ()))
    if not set(kinds) - set(getattr(found, LAYERS, None) or kinds):
        return found
    depth = max(given["num_hidden_layers"], len(kinds))
    layers = [kinds[index % len(kinds)] for index in range(depth)]
    return cls(**given | {"num_hidden_layers": depth, LAYERS: layers})


def _is_token(name: str, default: object) -> bool:
    return name.endswith(("token_id", "token_index")) and isinstance(default, int)


def _is_size(name: str, default: object) -> bool:
    if default is None:
        return name not in ABSENT
    return isinstance(default, int) and not isinstance(default, bool)


def _parts(cls: type[PreTrainedConfig]) -> Mapping[str, type[PreTrainedConfig]]:
    """Return the classes of the configurations inside one, as it chooses them by itself."""
    found = dict(getattr(cls, "sub_configs", {}))
    if not found:
        return {}
    held = _usual(cls)
    kinds = {name: type(getattr(held, name, None)) for name in found}
    chosen: dict[str, Any] = {
        name: kinds[name] if _is_config(kinds[name]) else found[name] for name in found
    }
    return {name: part for name, part in chosen.items() if part is not AutoConfig}


def _usual(cls: type[PreTrainedConfig]) -> PreTrainedConfig | None:
    """Return the configuration that a class makes by itself, None where it refuses its own."""
    try:
        return cls()
    except Exception:  # validators raise errors of their own
        return None


def _is_config(kind: type) -> TypeGuard[type[PreTrainedConfig]]:
    return issubclass(kind, PreTrainedConfig)


def _choose(config: PreTrainedConfig, attention: str | None) -> None:
    """Choose how a configuration and those inside it attend, and how experts are computed."""
    for name in (None, *config.sub_configs):
        each: Any = config if name is None else getattr(config, name, None)
        if not isinstance(each, PreTrainedConfig):
            continue
        if attention is not None:
            each._attn_implementation = attention
        each._experts_implementation = "eager"  # grouped products know no float64
        if each is not config:
            _choose(each, attention)
