"""What a tower of a model has room and embeddings for, and what a decoder reads of labels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.anatomy import longest_input

BIASED = "relative_attention_bias"
START, BEGIN = "decoder_start_token_id", "bos_token_id"
CONFIGS = ("config", "generation_config")


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

    A model that knows how moves them itself. Else they go one place further, behind the token
    that the decoder starts with when it generates.

    Raises
    ------
    ValueError
        Nothing says which token it starts with.
    """
    moved = _moved(model, labels)
    if moved is not None:
        return moved
    start = _start(model, tower)
    if start is None:
        raise ValueError(
            f"The configuration of {type(model).__name__} must say which token its decoder starts "
            f"with, and does not; set model.config.{START} to the id of that token (T5 and its "
            f"like start with the one for padding)."
        )
    return np.concatenate([[start], labels[:-1]]).astype(np.int64)


def _moved(
    model: PreTrainedModel, labels: Int[np.ndarray, "position"]
) -> Int[np.ndarray, "position"] | None:
    """Return labels as a model moves them, None where it does not or lacks a token for that."""
    moves: Any = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if moves is None:
        return None
    try:
        return moves(torch.as_tensor(labels)[None].to(model.device))[0].cpu().numpy()
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError):
        return None  # each family says in a way of its own that no token is set


def _start(model: PreTrainedModel, tower: nn.Module) -> int | None:
    """Return the token that a decoder starts with, found where `generate` looks for it."""
    places = [getattr(each, name, None) for name in CONFIGS for each in (model, tower)]
    found = (getattr(place, token, None) for token in (START, BEGIN) for place in places)
    return next((int(each) for each in found if each is not None), None)
