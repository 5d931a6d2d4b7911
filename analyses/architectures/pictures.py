"""Images beside texts, in the form that a model takes: found by trying the usual ones."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from .sizes import POSITIONS, WIDTH, WORDS

Call = dict[str, np.ndarray]
BEFORE, AFTER = 3, 6
"""Words before the tokens of an image, and after them; the second text has fewer after it."""


def images_and_texts(model: PreTrainedModel) -> Call | None:
    """Return two texts with an image in each, as a processor would, or None where none fits."""
    config: Any = model.config
    token = getattr(config, "image_token_id", None) or getattr(config, "image_token_index", None)
    if token is None and "pixel_values" not in inspect.signature(model.forward).parameters:
        return None
    for images in _forms(model):
        found = _beside(model, images) if token is None else _fitting(model, images, int(token))
        if found is not None:
            return found
    return None


def _forms(model: PreTrainedModel) -> Iterator[Call]:
    """Go through the usual forms of two images."""
    config: Any = model.config
    vision = getattr(config, "vision_config", None) or config
    size, patch = (_side(getattr(vision, name, None)) for name in ("image_size", "patch_size"))
    taken = inspect.signature(model.forward).parameters
    pixels = np.random.default_rng(0).standard_normal((2, 3, size or 16, size or 16))
    sizes = {"image_sizes": np.array([pixels.shape[2:]] * 2)} if "image_sizes" in taken else {}
    if "image_grid_thw" in taken:
        depth = 3 * (patch or 4) ** 2 * int(getattr(vision, "temporal_patch_size", 1) or 1)
        patches = np.random.default_rng(0).standard_normal((32, depth))
        yield {"pixel_values": patches, "image_grid_thw": np.array([[1, 4, 4]] * 2)}
    yield {"pixel_values": pixels, **sizes}
    yield {"pixel_values": pixels[:, None], **sizes}


def _side(size: Any) -> int | None:
    return size[0] if isinstance(size, list | tuple) else size


def _beside(model: PreTrainedModel, images: Call) -> Call | None:
    """Return texts in which no token stands for the image, as where other layers read it."""
    call = _texts(model, 0, -1) | images
    return call if _runs(model, call) is None else None


def _fitting(model: PreTrainedModel, images: Call, token: int) -> Call | None:
    """Return texts with as many tokens for each image as it has features."""
    count = 1
    for _ in range(4):
        call = _texts(model, count, token) | images
        reason = _runs(model, call)
        if reason is None:
            return call
        fitting = _features(reason)
        if fitting is None:
            return None
        count = fitting if fitting != count else count // WIDTH  # some count every number
        if not 0 < count < POSITIONS // 2:
            return None
    return None


def _texts(model: PreTrainedModel, count: int, token: int) -> Call:
    length = BEFORE + count + AFTER
    ids = np.random.default_rng(0).integers(*WORDS, (2, length))
    ids[:, BEFORE : BEFORE + count] = token
    mask = np.ones_like(ids)
    ids[1, -3:], mask[1, -3:] = 0, 0
    found = {"input_ids": ids, "attention_mask": mask}
    kinds = (ids == token).astype(np.int64)
    taken = inspect.signature(model.forward).parameters
    for name in ("token_type_ids", "mm_token_type_ids"):
        if name in taken:
            found[name] = kinds
    return found


def _runs(model: PreTrainedModel, call: Call) -> str | None:
    """Run a model, and return what it says where it does not."""
    given = {name: torch.as_tensor(each) for name, each in call.items()}
    run: Callable[..., Any] = model
    try:
        with torch.no_grad():
            run(**given)
    except Exception as error:  # whatever a model raises says that this form does not fit
        return str(error) or type(error).__name__
    return None


def _features(reason: str) -> int | None:
    """Return how many features each of two images has, as the error about their number says."""
    found = re.search(r"features:? *(\d+)", reason)
    return int(found[1]) // 2 if found and int(found[1]) >= 2 else None
