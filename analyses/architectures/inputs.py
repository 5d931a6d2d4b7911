"""What tiny models are run over: two texts of unequal length, two images, or both."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dva_lens.measuring.sequences import PaddedBatch, Sequences
from dva_lens.recording.adapters import adapter_of

from .pictures import images_and_texts
from .sizes import WORDS

LENGTHS = (13, 8)


def given_to(model: PreTrainedModel) -> Any:
    """Return what a user passes for a model: images, both, or one row of token ids per text."""
    if adapter_of(model).takes_images:
        return images(model)
    both = images_and_texts(model)
    return texts() if both is None else both


def texts() -> list[np.ndarray]:
    """Return the token ids of two texts."""
    return [np.random.default_rng(0).integers(*WORDS, length) for length in LENGTHS]


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
    if sequences.images:
        return PaddedBatch(np.stack(sequences.pieces), None, first=True)
    lengths = sequences.lengths
    tokens = np.zeros((len(lengths), lengths.max()), dtype=np.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = sequences.tokens(row)
    return PaddedBatch(tokens, lengths, first=True)


def form(sequences: Sequences) -> str:
    """Return what a model was run over, in words."""
    if sequences.images:
        return "images"
    return "images and text" if sequences.beside else "text"


def call_of(adapter: Any, batch: PaddedBatch) -> dict[str, Tensor]:
    """Return how a model is called with a batch, and with what goes beside it."""
    tokens = torch.as_tensor(batch.tokens)
    if batch.lengths is None:
        return {adapter.model.main_input_name: tokens}
    place = torch.arange(tokens.shape[1])
    mask = (place < torch.as_tensor(batch.lengths)[:, None]).long()
    beside = {name: torch.as_tensor(each) for name, each in adapter.beside.items()}
    return {"input_ids": tokens, "attention_mask": mask, **beside}
