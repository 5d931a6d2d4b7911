"""Which attention the parts of a Hugging Face model use, as their configurations say."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedModel

from dva_lens.recording.adapters.anatomy import Anatomy

Settings = list[tuple[Any, str | None]]


def settings_of(model: PreTrainedModel) -> Settings:
    """Return the configurations of a model and its parts, and the attention each names."""
    configs = [each.config for each in _models(model)]
    configs += [
        getattr(config, name)
        for config in configs
        for name in config.sub_configs
        if getattr(config, name) is not None
    ]
    return [(config, config._attn_implementation) for config in configs]


def beside_layers(model: PreTrainedModel, anatomy: Anatomy, settings: Settings) -> Settings:
    """Return the settings of the parts that do not hold the layers, such as a tower of images."""
    first = anatomy.layers[0]
    holding = [each for each in _models(model) if any(part is first for part in each.modules())]
    held = {type(each.config) for each in holding} | {type(model.config.get_text_config())}
    inside = {each for layer in anatomy.layers for each in layer.modules()}
    others = [each for each in _models(model) if each not in holding and each not in inside]
    elsewhere = {type(each.config) for each in others} - held
    return [(config, named) for config, named in settings if type(config) in elsewhere]


def restore(settings: Settings) -> None:
    """Let configurations name the attention that they named before."""
    for config, named in settings:
        config._attn_implementation_internal = named


@contextmanager
def attending_eagerly(model: PreTrainedModel) -> Iterator[str]:
    """Have a model attend in its eager functions, where it lets that be chosen; say in which."""
    settings = settings_of(model)
    try:
        if model._can_set_attn_implementation():
            model.set_attn_implementation("eager")
        yield str(model.config._attn_implementation)
    finally:
        restore(settings)


def _models(model: PreTrainedModel) -> Iterable[PreTrainedModel]:
    return [each for each in model.modules() if isinstance(each, PreTrainedModel)]
