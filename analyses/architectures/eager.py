"""What a model's own eager attention says: the pattern, the values and the mask of every layer.

transformers keeps a function that forms the whole pattern beside every attention. It is watched
while the model runs in float64; nothing of this package takes part.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.outputs import without_cache

EAGER = "eager_attention_forward"


@final
@dataclass(frozen=True)
class Watched:
    """One call of an eager attention: what it was given, and the pattern it formed."""

    module: nn.Module
    pattern: Float[Tensor, "row head query key"]
    value: Float[Tensor, "row kv_head key width"]
    mask: Tensor | None
    causal: bool

    def seen(self) -> Bool[np.ndarray, "row query key"]:
        """Return which keys each query sees, by the mask that eager attention added."""
        rows, _, queries, keys = self.pattern.shape
        if self.mask is None:
            everything = torch.ones(queries, keys, dtype=torch.bool)
            seen = everything.tril(keys - queries) if self.causal else everything
            return seen.expand(rows, -1, -1).numpy()
        mask = self.mask[..., :keys]
        allowed = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        return allowed[:, 0].expand(rows, queries, keys).numpy()


@torch.no_grad()
def watch(model: PreTrainedModel, call: dict[str, Any]) -> tuple[list[Watched], Any]:
    """Run a model with eager attention, and return its attentions in order, and its output."""
    found: list[Watched] = []
    places = {type(each).__module__ for each in model.modules()}
    with _replaced([sys.modules[name] for name in sorted(places)], found):
        output = model(**without_cache(model, call), output_attentions=True, return_dict=True)
    return found, output


@contextmanager
def _replaced(modules: list[Any], found: list[Watched]) -> Iterator[None]:
    """Watch the eager attention of some modules of code."""
    before = {each: vars(each)[EAGER] for each in modules if EAGER in vars(each)}
    try:
        for each, function in before.items():
            setattr(each, EAGER, _watching(function, found))
        yield
    finally:
        for each, function in before.items():
            setattr(each, EAGER, function)


def _watching(function: Callable[..., Any], found: list[Watched]) -> Callable[..., Any]:
    def eager(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        output, pattern = function(module, query, key, value, attention_mask, *args, **kwargs)
        causal = False  # without a mask, eager attention sees everything
        used = _as_used(pattern, value, output)
        found.append(Watched(module, used, value, attention_mask, causal))
        return output, pattern

    return eager


def _as_used(pattern: Tensor, value: Tensor, output: Tensor) -> Tensor:
    """Return a pattern with its rows scaled as the output has them, where a sink scales them."""
    mixed = pattern @ value.repeat_interleave(pattern.shape[1] // value.shape[1], dim=1)
    out = output.transpose(1, 2)
    if out.shape != mixed.shape or torch.allclose(out, mixed, rtol=1e-9, atol=1e-12):
        return pattern
    scale = (out * mixed).sum(-1, keepdim=True) / mixed.square().sum(-1, keepdim=True)
    return pattern * scale if torch.allclose(out, scale * mixed, rtol=1e-9) else pattern
