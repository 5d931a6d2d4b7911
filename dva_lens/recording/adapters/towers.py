"""What a tower of a model has room and embeddings for, and what a decoder reads of labels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.anatomy import longest_input

BIASED, START = "relative_attention_bias", "decoder_start_token_id"


def positions_of(tower: nn.Module) -> int | None:
    """Return how many tokens a tower has room for, None where positions are relative."""
    relative = any(BIASED in name for name, _ in tower.named_modules())
    if relative or not isinstance(tower, PreTrainedModel):
        return None
    return longest_input(tower)


def vocabulary_of(tower: nn.Module) -> int:
    """Return how many tokens a tower has embeddings for."""
    return embeddings_of(tower).weight.shape[0]


def embeddings_of(tower: nn.Module) -> nn.Embedding:
    """Return the embeddings of a tower, as it says or as its first module of that kind."""
    if isinstance(tower, PreTrainedModel):
        said: Any = tower.get_input_embeddings()
        return said
    return next(each for each in tower.modules() if isinstance(each, nn.Embedding))


def decoder_inputs(
    model: PreTrainedModel, tower: nn.Module, labels: Int[np.ndarray, "position"]
) -> Int[np.ndarray, "position"]:
    """Return what the decoder of a model reads where it should write these labels.

    Raises
    ------
    ValueError
        Nothing says which token it starts with.
    """
    moves: Any = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if moves is not None:
        return moves(torch.as_tensor(labels)[None].to(model.device))[0].cpu().numpy()
    starts = [getattr(_config(each), START, None) for each in (model, tower)]
    start = next((each for each in starts if each is not None), None)
    if start is None:
        raise ValueError(
            f"The configuration of {type(model).__name__} must say which token its decoder starts "
            f"with ({START}), and does not."
        )
    return np.concatenate([[start], labels[:-1]]).astype(np.int64)


def _config(tower: nn.Module) -> Any:
    return getattr(tower, "config", None)
