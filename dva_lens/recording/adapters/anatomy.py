"""Where the layers of a Hugging Face model are, by looking at it."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

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

        Where several are, as in models of images and text, it is the one in the part that has the
        configuration of the text, or of the images where the model reads nothing else.

        Raises
        ------
        TypeError
            The model holds no list of that many layers, or does not say how many there are.
        """
        config = _read_config(model)
        depth = getattr(config, "num_hidden_layers", None)
        if depth is None:
            raise TypeError(
                f"{type(model).__name__} does not say how many layers it has "
                f"(num_hidden_layers): it is no single stack of them, and its attentions cannot "
                f"be found."
            )
        found = _lists(model, depth)
        ranked = sorted(found, key=lambda each: each[0] is not type(config))
        for _, name, layers in ranked[:1]:
            return cls(
                names=tuple(f"{name}.{index}" for index in range(depth)),
                layers=layers,
                owner={each: i for i, layer in enumerate(layers) for each in layer.modules()},
                parent={child: each for each in model.modules() for child in each.children()},
            )
        raise TypeError(
            f"{type(model).__name__} holds no list of {depth} layers (num_hidden_layers), so its "
            f"attentions cannot be found; it may run layers in stages, or the same ones again."
        )

    def listed(self, layers: Sequence[int]) -> str:
        """Return the names of some layers, the first few of many."""
        names = [self.names[layer] for layer in layers]
        return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")

    def around(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return the innermost model with the layers; its configuration says how they attend."""
        found: nn.Module = self.layers[0]
        while found is not model:
            found = self.parent[found]
            if isinstance(found, PreTrainedModel):
                return found
        return model


def reads_images_alone(model: PreTrainedModel) -> bool:
    """Say whether a model takes images and no text."""
    taken = inspect.signature(model.forward).parameters
    return model.main_input_name == "pixel_values" and "input_ids" not in taken


def patch_size_of(model: PreTrainedModel) -> tuple[int, int] | None:
    """Return the rows and columns of pixels of a patch; None for a model without patches."""
    size = getattr(_read_config(model), "patch_size", None)
    if not reads_images_alone(model) or size is None:
        return None
    rows, columns = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    return int(rows), int(columns)


def _read_config(model: PreTrainedModel) -> Any:
    """Return the configuration of the tower that reads what a model is measured on."""
    images = getattr(model.config, "vision_config", None)
    return images if images and reads_images_alone(model) else model.config.get_text_config()


def _lists(
    model: PreTrainedModel, depth: int
) -> Iterator[tuple[type, str, tuple[nn.Module, ...]]]:
    """Go through the lists of so many layers, each with the kind of configuration it is under."""
    owners: dict[str, type] = {}
    for name, module in model.named_modules():
        above = owners.get(name.rpartition(".")[0], type(model.config))
        owners[name] = type(module.config) if isinstance(module, PreTrainedModel) else above
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            yield above, name, tuple(module)


def without_attention(
    layer: nn.Module, attending: Iterable[nn.Module], attentions: Iterable[nn.Module]
) -> str | None:
    """Return why a layer has no attention, or None where it holds one that kept silent.

    `attending` are layers that have attended, through the modules `attentions`.
    """
    attentions = tuple(attentions)
    kinds = {type(module) for module in attentions}
    if not kinds or any(type(module) in kinds for module in layer.modules()):
        return None
    held = set(attentions)
    usual = {name: part for each in attending for name, part in each.named_children()}
    places = {name for name, part in usual.items() if not held.isdisjoint(part.modules())}
    parts = dict(layer.named_children())
    other = [type(part) for name, part in parts.items() if name in places]
    other = other or [
        type(part)
        for name, part in parts.items()
        if name not in usual and "norm" not in type(part).__name__.lower()
    ]
    named = " and ".join(kind.__name__ for kind in other) or "nothing"
    return f"the layer has no attention; it has {named} in its place"


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
