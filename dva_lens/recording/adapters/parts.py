"""The parts of a model with an encoder and a decoder: towers of attention that are read apart.

Which attention belongs to which part is found out while the model runs: attention of the encoder
belongs to the encoder; attention of the decoder that is handed states of the encoder to read is
cross-attention; what is left is the decoder's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

from torch import nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.anatomy import Anatomy

HANDED_OVER = ("key_value_states", "encoder_hidden_states")


@final
@dataclass(frozen=True)
class ModelPart:
    """One tower of attention: its name, and which of the two texts its queries and keys are of.

    `source` is the text that the encoder reads, `target` the one that the decoder writes.
    """

    name: str
    queries: str
    keys: str
    meaning: str

    @property
    def crosses(self) -> bool:
        """Whether queries read the keys of another text."""
        return self.queries != self.keys


PARTS: Mapping[str, ModelPart] = MappingProxyType(
    {
        each.name: each
        for each in (
            ModelPart(
                "encoder", "source", "source", "what the encoder's tokens read of the source"
            ),
            ModelPart(
                "decoder", "target", "target", "what the decoder's tokens read of the target"
            ),
            ModelPart("cross", "target", "source", "what the decoder's tokens read of the source"),
        )
    }
)


def towers(model: PreTrainedModel) -> tuple[nn.Module, nn.Module] | None:
    """Return the encoder and the decoder of a model, or None where it does not have both."""
    if not getattr(model.config, "is_encoder_decoder", False):
        return None
    encoder, decoder = model.get_encoder(), model.get_decoder()
    if isinstance(decoder, PreTrainedModel) and any(each is encoder for each in decoder.modules()):
        decoder = decoder.get_decoder()  # it was the model of both, as in Florence-2
    inner = all(each is not model and each is not None for each in (encoder, decoder))
    return (encoder, decoder) if inner and encoder is not decoder else None


def known_part(model: PreTrainedModel, name: str | None) -> ModelPart:
    """Return the part of a name.

    Raises
    ------
    ValueError
        No part is named, or the model has none of this name.
    """
    listed = ", ".join(repr(each) for each in PARTS)
    kind = type(model).__name__
    if name is None:
        raise ValueError(
            f"{kind} has an encoder and a decoder, whose attention is measured in parts: one of "
            f"{listed} with part=, or all of them with `dva_lens.measure_parts`."
        )
    if name not in PARTS:
        raise ValueError(f"{kind} has no part {name!r}; its parts are {listed}.")
    return PARTS[name]


def anatomy_of(model: PreTrainedModel, tower: nn.Module) -> Anatomy:
    """Return where the layers of a tower are: its outermost list of modules.

    Raises
    ------
    TypeError
        The tower holds no list of layers.
    """
    inside = next((name for name, each in model.named_modules() if each is tower), "")
    for name, module in tower.named_modules():
        if isinstance(module, nn.ModuleList) and len(module):
            layers = tuple(module)
            place = f"{inside}.{name}" if inside else name
            return Anatomy(
                names=tuple(f"{place}.{index}" for index in range(len(layers))),
                layers=layers,
                owner={each: i for i, layer in enumerate(layers) for each in layer.modules()},
                parent={child: each for each in model.modules() for child in each.children()},
            )
    raise TypeError(
        f"{type(tower).__name__} of {type(model).__name__} holds no list of layers, so its "
        f"attentions cannot be found."
    )


def is_handed_states(call: Mapping[str, Any]) -> bool:
    """Say whether a module is called with states of the encoder to read."""
    return any(call.get(name) is not None for name in HANDED_OVER)
