"""What tiny models are run over: two texts of unequal length, two images, or both."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.sequences import PaddedBatch, Sequences
from dva_lens.recording.adapters import SourceBatch, adapter_of
from dva_lens.recording.adapters.encoder_decoder import PartAdapter
from dva_lens.recording.adapters.outputs import body_of

from .pictures import images_and_texts
from .sizes import WORDS

LENGTHS, TARGETS = (13, 8), (9, 6)


def given_to(model: PreTrainedModel, part: str | None = None) -> tuple[Any, InputOptions]:
    """Return what a user passes for a model: images, both, or one row of token ids per text.

    A part that reads targets beside them gets the labels of as many.
    """
    if part is not None:
        target = None if part == "encoder" else texts(TARGETS)
        return texts(), InputOptions(part=part, target=target)
    if adapter_of(model).takes_images:
        return images(model), InputOptions()
    both = images_and_texts(model)
    return texts() if both is None else both, InputOptions()


def texts(lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    """Return the token ids of some texts."""
    return [np.random.default_rng(0).integers(*WORDS, length) for length in lengths]


def images(model: PreTrainedModel) -> np.ndarray:
    """Return two images of the size that a model names."""
    config: Any = model.config
    vision = getattr(config, "vision_config", None)
    size = getattr(config, "image_size", None) or getattr(vision, "image_size", None) or 32
    rows, columns = (size, size) if isinstance(size, int) else size
    channels = getattr(config, "num_channels", 3)
    return np.random.default_rng(0).standard_normal((2, channels, rows, columns))


def whole(sequences: Sequences) -> PaddedBatch:
    """Return all sequences as one batch."""
    return next(sequences.batches(len(sequences)))


def form(sequences: Sequences) -> str:
    """Return what a model was run over, in words."""
    if sequences.images:
        return "images"
    return "images and text" if sequences.beside else "text"


def run_by(adapter: Any) -> PreTrainedModel:
    """Return the model that runs for an adapter, without a head that puts out no tokens."""
    if isinstance(adapter, PartAdapter):
        return body_of(adapter.model) or adapter.model
    return adapter.runs


def call_of(adapter: Any, batch: PaddedBatch) -> dict[str, Tensor]:
    """Return how a model is called with a batch, and with what goes beside it."""
    if batch.lengths is None:
        return {adapter.model.main_input_name: torch.as_tensor(batch.tokens)}
    text = {"input_ids": torch.as_tensor(batch.tokens), "attention_mask": mask_of(batch)}
    if not isinstance(adapter, PartAdapter):
        return text | {name: torch.as_tensor(each) for name, each in adapter.beside.items()}
    if batch.source is None:  # the decoder has to read something beside
        return text | {"decoder_input_ids": torch.ones(len(batch.tokens), 1, dtype=torch.long)}
    return {
        "input_ids": torch.as_tensor(batch.source.tokens),
        "attention_mask": mask_of(batch.source),
        **{f"decoder_{name}": each for name, each in text.items()},
    }


def mask_of(batch: PaddedBatch | SourceBatch) -> Tensor:
    """Return 1 where a text stands, and 0 in padding."""
    place = torch.arange(batch.tokens.shape[1])
    return (place < torch.as_tensor(batch.lengths)[:, None]).long()


def wanted(adapter: Any, batch: PaddedBatch) -> list[np.ndarray]:
    """Return the tokens that a model should predict, from its first position on."""
    if isinstance(adapter, PartAdapter):
        return texts(TARGETS)
    rows = zip(batch.tokens, batch.lengths if batch.lengths is not None else (), strict=True)
    return [row[1:length] for row, length in rows]
