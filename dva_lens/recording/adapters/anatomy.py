"""Where the layers and the output projections of a Hugging Face model are, by looking at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

PROJECTIONS = ("o_proj", "out_proj", "c_proj", "dense", "wo")
SIBLINGS = ("output.dense",)


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
            f"attentions cannot be told apart."
        )

    def output_projection(
        self, attention: nn.Module, heads: int
    ) -> Float[Tensor, "head width model"] | None:
        """Return W_O of an attention, or None where it is not found or not plain numbers."""
        places = [(attention, name) for name in PROJECTIONS]
        if attention in self.parent:
            places += [(self.parent[attention], name) for name in SIBLINGS]
        for module, path in places:
            found = _descend(module, path)
            if found is not None:
                return _per_head(found, heads)
        return None


def _descend(module: nn.Module, path: str) -> nn.Module | None:
    for name in path.split("."):
        child = getattr(module, name, None)
        if not isinstance(child, nn.Module):
            return None
        module = child
    return module


def _per_head(projection: nn.Module, heads: int) -> Float[Tensor, "head width model"] | None:
    weight = getattr(projection, "weight", None)
    if not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.ndim != 2:
        return None
    into = weight if isinstance(projection, Conv1D) else weight.T
    return into.detach().unflatten(0, (heads, -1))


def longest_input(model: PreTrainedModel) -> int | None:
    """Return how many positions a model has, or None where nothing limits it."""
    config = model.config.get_text_config()
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
    found = next((getattr(config, name) for name in names if getattr(config, name, None)), None)
    if found is None:
        return None
    return int(found) - _offset(model)


def _offset(model: PreTrainedModel) -> int:
    """Return how many learned positions lie before the first token's, as in RoBERTa."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0
