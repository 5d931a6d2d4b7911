"""Where the texts of packed sequences begin."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def first_tokens(segments: Int[Tensor, "batch position"]) -> Bool[Tensor, "batch position"]:
    """Say which positions begin a text."""
    first = torch.ones_like(segments, dtype=torch.bool)
    first[:, 1:] = segments[:, 1:] != segments[:, :-1]
    return first


def starts(first: Bool[Tensor, "batch position"]) -> Int[Tensor, "batch position"]:
    """Return where the text of each position begins."""
    position = torch.arange(first.shape[1], device=first.device)
    return torch.where(first, position, 0).cummax(dim=1).values
