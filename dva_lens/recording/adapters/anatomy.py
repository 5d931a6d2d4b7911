"""Where the layers of a Hugging Face model are, by looking at it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from torch import nn
from transformers import PreTrainedModel


@final
@dataclass(frozen=True)
class Anatomy:
    """The layers of a model, and which layer and parent each of its modules belongs to."""

    names: tuple[str, ...]
    layers: tuple[nn.Module, ...]
    owner: Mapping[nn.Module, int]
    parent: Mapping[nn.Module, nn.Module]

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Anatomy":
        """Find the list of layers, as long as the configuration says the model is deep.

        Raises
        ------
        TypeError
            The model holds no list of that many layers.
        """
        depth = model.config.get_text_config().num_hidden_layers
        for name, module in model.named_modules():
            if isinstance(module, nn.ModuleList) and len(module) == depth:
                layers = tuple(module)
                return cls(
                    names=tuple(f"{name}.{index}" for index in range(depth)),
                    layers=layers,
                    owner={each: i for i, layer in enumerate(layers) for each in layer.modules()},
                    parent={child: each for each in model.modules() for child in each.children()},
                )
        raise TypeError(
            f"{type(model).__name__} holds no list of {depth} layers (num_hidden_layers), so its "
            f"attentions cannot be found."
        )


def without_attention(
    layer: nn.Module, attending: Iterable[nn.Module], attentions: Iterable[nn.Module]
) -> str | None:
    """Return why a layer has no attention, or None where it holds one that kept silent.

    `attending` are layers that have attended, through the modules `attentions`.
    """
    kinds = {type(module) for module in attentions}
    if not kinds or any(type(module) in kinds for module in layer.modules()):
        return None
    usual = {name for other in attending for name, _ in other.named_children()}
    other = [type(part).__name__ for name, part in layer.named_children() if name not in usual]
    return f"the layer has no attention; it has {' and '.join(other) or 'nothing'} in its place"


def longest_input(model: PreTrainedModel) -> int | None:
    """Return how many positions a model has, or None where nothing limits it."""
    config = model.config.get_text_config()
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
    found = next((getattr(config, name) for name in names if getattr(config, name, None)), None)
    if found is None or int(found) < 0:  # as in XLNet, which has room for any text
        return None
    return int(found) - _offset(model)


def _offset(model: PreTrainedModel) -> int:
    """Return how many learned positions lie before the first token's, as in RoBERTa."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0
