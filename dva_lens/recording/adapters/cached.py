"""Passes that continue a cache: what each of them adds, and the one pass that they amount to.

A model that writes token by token runs over the prompt once and then over one token at a time,
whose query sees the keys of all before. Queries, keys and values are held as they come, in memory
linear in length; when the record is taken, attention is summarised over all of them at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.kernels.attention import attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.kernels.visibility import MaskFunction
from dva_lens.recording.adapters.masks import ModelMask

Heads = Float[Tensor, "row head column width"]
SharedHeads = Float[Tensor, "row kv_head key width"]
SharedValues = Float[Tensor, "row kv_head key value_width"]
Mask = Tensor | ModelMask | None


@final
@dataclass(frozen=True)
class Step:
    """What one call of a layer saw: its mask, from where its queries stand, and up to where."""

    mask: ModelMask | None
    start: int
    stop: int


@final
@dataclass
class HeldLayer:
    """The queries, keys and values of one layer, over all calls since the cache was empty."""

    module: nn.Module
    call: dict[str, Any]
    query: Heads
    key: SharedHeads
    value: SharedValues
    steps: list[Step]

    @property
    def columns(self) -> int:
        """Return how many positions the layer has attended from."""
        return self.query.shape[2]

    def extended(self, other: "HeldLayer") -> "HeldLayer":
        """Return the layer with what a later call adds."""
        joined = {
            name: torch.cat([getattr(self, name), getattr(other, name)], dim=2)
            for name in ("query", "key", "value")
        }
        return replace(self, **joined, steps=[*self.steps, *other.steps])

    def mask(self, padding: Tensor | None) -> Mask:
        """Return what all queries see, as if they had come in one call."""
        masks = [step.mask for step in self.steps if step.mask is not None]
        if len(masks) < len(self.steps):
            return padding
        sizes = (len(self.query), self.columns, self.columns)
        functions = {each.function for each in masks}
        joined = masks[0].function if len(functions) == 1 else _joined(self.steps)
        return ModelMask(joined, sizes, (0, 0), padding)


@final
@dataclass
class CachedPass:
    """What is held of a pass that has a cache, and so may be continued."""

    layers: dict[int, HeldLayer] = field(default_factory=dict)
    hidden: dict[int, list[Tensor]] = field(default_factory=dict)
    padding: Int[Tensor, "row column"] | None = None
    continued: bool = False

    @property
    def columns(self) -> int:
        """Return how many positions the pass has come to."""
        attended = (each.columns for each in self.layers.values())
        passed = (sum(part.shape[1] for part in parts) for parts in self.hidden.values())
        return max(max(attended, default=0), max(passed, default=0))

    def mask_of(self, layer: HeldLayer) -> Mask:
        """Return what the queries of a layer see, as if they had come in one call."""
        padding = None if self.padding is None else self.padding[:, : layer.columns].bool()
        return layer.mask(None if padding is None or bool(padding.all()) else padding)

    def hold(
        self,
        layer: int,
        module: nn.Module,
        heads: tuple[Heads, SharedHeads, SharedValues],
        mask: ModelMask | None,
        call: dict[str, Any],
    ) -> Step:
        """Keep what a call adds to a layer, and return where its queries stand.

        Raises
        ------
        NotImplementedError
            The keys of the cache are not those that were held.
        """
        query, key, value = heads
        name = type(module).__name__
        before = self.layers.get(layer)
        start = 0 if before is None else before.columns
        shift = start + query.shape[2] - key.shape[2] if mask is None else mask.offsets[1]
        here = start - shift
        new = slice(here, here + query.shape[2])
        added = HeldLayer(
            module, call, query, key[:, :, new], value[:, :, new],
            [Step(mask, start, start + query.shape[2])],
        )  # fmt: skip
        if before is not None and not torch.equal(key[:, :, :here], before.key[:, :, shift:start]):
            raise NotImplementedError(
                f"The cache of {name} was rearranged between two calls (as beam search does), so "
                f"they are no passes over one text; generate without beams."
            )
        self.layers[layer] = added if before is None else before.extended(added)
        return added.steps[0]


def attend_step(
    heads: tuple[Heads, SharedHeads, SharedValues], rule: Rule, step: Step
) -> Float[Tensor, "row head column value_width"]:
    """Return what the queries of one call attend to among the keys of the cache."""
    query, key, value = heads
    seen = _by_rule(rule, step, key.shape[2]) if step.mask is None else _by_mask(step.mask)
    across = replace(rule, causal=False, window=None, segments=None, mask=seen)
    return attend(query, key, Static(value), across)


def _by_rule(rule: Rule, step: Step, keys: int) -> MaskFunction:
    """Return what queries see of the keys of a cache, the last of which is the last query's."""
    shift = step.start - (step.stop - keys)

    def seen(row: Tensor, query: Tensor, key: Tensor) -> Tensor:
        gap = query + shift - key + 0 * row
        found = gap >= 0 if rule.causal else torch.ones_like(gap, dtype=torch.bool)
        return found if rule.window is None else found & (gap.abs() < rule.window)

    return seen


def _by_mask(mask: ModelMask) -> MaskFunction:
    def seen(row: Tensor, query: Tensor, key: Tensor) -> Tensor:
        head = torch.zeros((), dtype=torch.long, device=key.device)
        places = query + mask.offsets[0], key + mask.offsets[1]
        allowed = mask.function(row, head, *places).bool()
        return allowed if mask.padding is None else allowed & mask.padding[row, key]

    return seen


def _joined(steps: Sequence[Step]) -> Any:
    """Return a mask function that asks of each query the mask of the call that it came in."""

    def function(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(row.shape, query.shape, key.shape)
        found = torch.zeros(shape, dtype=torch.bool, device=key.device)
        low, high = int(query.min()), int(query.max())
        for step in steps:
            if step.mask is not None and step.start <= high and step.stop > low:
                mine = (query >= step.start) & (query < step.stop) & (key < step.stop)
                allowed = step.mask.function(row, head, query, key).bool()
                found = torch.where(mine, allowed, found)
        return found

    return function
