"""The unit of rounding of what a model computes with: its numbers, or how it stores matrices."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from dva_lens.recording.attention_rows import MATMUL_ROUNDING


def rounding_of(model: nn.Module) -> float:
    """Return the unit of rounding of the coarsest numbers that a model computes with."""
    parameters = [each for each in model.parameters() if each.is_floating_point()]
    found = max((torch.finfo(each.dtype).eps for each in parameters), default=0.0)
    device = parameters[0].device.type if parameters else "cpu"
    if torch.is_autocast_enabled(device):
        found = max(found, torch.finfo(torch.get_autocast_dtype(device)).eps)
    if any(each.dtype == torch.float32 for each in parameters):
        found = max(found, MATMUL_ROUNDING[torch.get_float32_matmul_precision()])
    return found


def rounding_of_stored(model: nn.Module) -> float:
    """Return how far matrices that are not stored plainly are from multiplying, 0 without any.

    One that rounds what it is given, as dynamic quantisation to eight bits does, makes of a sum
    something else than of its terms, and of a text something else beside others than alone.
    """
    stored = {type(each): each for each in model.modules() if _is_stored_otherwise(each)}
    like = next((each for each in model.parameters() if each.is_floating_point()), torch.empty(0))
    return max((_of_stored(each, like) for each in stored.values()), default=0.0)


def _is_stored_otherwise(module: nn.Module) -> bool:
    """Say whether a module multiplies by a matrix that is stored in integers, or packed."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor):
        return hasattr(module, "in_features") and not weight.is_floating_point()
    return hasattr(module, "in_features") and inspect.ismethod(weight)  # it unpacks them


@torch.no_grad()
def _of_stored(module: Any, like: Tensor) -> float:
    """Try one matrix on two vectors and on their sum."""
    place = torch.arange(module.in_features, device=like.device, dtype=like.dtype)
    one, other = torch.sin(place + 1), torch.cos(1.7 * place)
    zero, first, second, both = (
        module.forward(each[None]) for each in (0 * one, one, other, one + other)
    )
    size: Tensor = (first - zero).norm() + (second - zero).norm()
    return float((both - first - second + zero).norm() / size) if size > 0 else 0.0
