"""How models of transformers are recorded; imported with the first one, as it takes seconds."""

from transformers import PreTrainedModel

from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.adapters.encoder_decoder import PartAdapter
from dva_lens.recording.adapters.huggingface import HuggingFaceAdapter
from dva_lens.recording.adapters.parts import PARTS, known_part, towers

__all__ = ["in_parts", "pretrained_adapter"]


def in_parts(model: PreTrainedModel) -> tuple[str, ...]:
    """Return the names of the parts of a model, none where it is one stack of layers."""
    return tuple(PARTS) if towers(model) else ()


def pretrained_adapter(model: PreTrainedModel, part: str | None) -> Adapter:
    """Return how a model is recorded, or one of its parts.

    Raises
    ------
    ValueError
        A part must be named, or there is none of this name.
    """
    if towers(model):
        return PartAdapter(model, known_part(model, part))
    return HuggingFaceAdapter(model)
