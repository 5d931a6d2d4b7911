"""The attentions of a model with an encoder and a decoder, of which one part is recorded.

The others are computed by the same kernels and leave no record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.attention import attend
from dva_lens.kernels.values import Static
from dva_lens.kernels.visibility import Visibility
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.call import (
    bias_of,
    refuse_odd_masks,
    refuse_other_keys,
    refuse_unreadable,
    rule_of,
)
from dva_lens.recording.adapters.interface import Heads, SharedHeads, SharedValues
from dva_lens.recording.adapters.masks import (
    PLAIN,
    ModelMask,
    PassState,
    added_by,
    allowed_pairs,
)
from dva_lens.recording.adapters.own_attention import OwnCall, compare_with
from dva_lens.recording.adapters.parts import PARTS, ModelPart
from dva_lens.recording.adapters.projection import NOT_WRITTEN, Returned
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.sites import MIX, WRITTEN

Mask = Tensor | ModelMask | None


@final
@dataclass
class PartState:
    """What a pass over two texts was called with, and the part of its attentions to record.

    `crossing` are the modules that were handed states of the encoder when they were last called.
    """

    recorder: Recorder
    part: ModelPart
    anatomy: Anatomy
    encoder: frozenset[nn.Module]
    grams: dict[nn.Module, Gram]
    passes: Mapping[str, PassState] = field(
        default_factory=lambda: {"source": PassState(), "target": PassState()}
    )
    layouts: dict[str, Layout] = field(default_factory=dict)
    crossing: set[nn.Module] = field(default_factory=set)
    returned: Returned | None = None

    def begin(self, text: str) -> None:
        """Forget the pass before, as far as it was over a text."""
        self.passes[text].begin(None)
        self.layouts.pop(text, None)
        if text == self.part.queries:
            self.recorder.layout = self.recorder.key_layout = None
            self.returned = None
            self.recorder.reset()

    def attention(
        self,
        module: nn.Module,
        heads: tuple[Heads, SharedHeads, SharedValues],
        mask: Mask,
        call: dict[str, Any],
    ) -> Float[Tensor, "row column head value_width"]:
        """Compute one attention, and record it where it is of the part."""
        query, key, value = heads
        refuse_unreadable(module, call)
        refuse_odd_masks(module, mask)
        part = PARTS[self._part_of(module)]
        if part.crosses:
            queries, keys, visibility = self._across(module, query, key, mask)
        else:
            refuse_other_keys(module, query, key)
            queries, visibility = self._of_one_text(part.queries, query, mask)
            keys = queries
        rule = rule_of(
            module, query, call, visibility, bias=bias_of(call, added_by(mask), queries, keys)
        )
        parts = queries.unpad(query), keys.unpad(key), Static(keys.unpad(value))
        asked = AttentionCall(*parts, rule)
        if part is not self.part:
            return _as_row(_unrecorded(asked, queries, part), queries, query)
        own = OwnCall(module, query, key, value, mask, call, rule, queries.real, part.crosses)
        out = _as_row(self._recorded(own, asked, queries, keys), queries, query)
        self.returned = Returned.of(out)
        return out

    def wrote_through(self, module: nn.Module) -> None:
        """Do nothing: passes over two texts are not continued."""

    def _part_of(self, module: nn.Module) -> str:
        if module in self.encoder:
            return "encoder"
        return "cross" if module in self.crossing else "decoder"

    def _of_one_text(
        self, text: str, query: Heads, mask: Mask
    ) -> tuple[Layout, Visibility | None]:
        shape = query.shape[0], query.shape[2]
        layout, visibility = self.passes[text].of(mask, shape, query.device)
        self.layouts[text] = layout
        return layout, visibility

    def _across(
        self, module: nn.Module, query: Heads, key: SharedHeads, mask: Mask
    ) -> tuple[Layout, Layout, Visibility]:
        rows, columns = query.shape[0], query.shape[2]
        queries = self.layouts.get("target") or Layout.of(
            None, None, (rows, columns), device=query.device
        )
        source = self.layouts.get("source")
        name = type(module).__name__
        if queries.shape != (rows, columns):
            raise NotImplementedError(
                f"{name} has {columns} queries where the decoder has {queries.shape[1]} tokens; "
                f"a cache cannot be recorded, pass use_cache=False and the whole target at once."
            )
        if source is not None and source.shape[1] != key.shape[2]:
            raise NotImplementedError(
                f"{name} has {key.shape[2]} keys where the source has {source.shape[1]} tokens, "
                f"so it reads more than the source at once; that is no part of its own."
            )
        padding = _padding_of(module, mask)
        keys = Layout.of(padding, None, (rows, key.shape[2]), device=key.device)
        if not torch.equal(queries.rows, keys.rows):
            raise NotImplementedError(
                f"{name} must read one source for each target; a row of the batch is empty, or "
                f"holds several texts."
            )
        return queries, keys, _sight(queries, keys)

    def _recorded(
        self, own: OwnCall, asked: AttentionCall, queries: Layout, keys: Layout
    ) -> Tensor:
        module, recorder = own.module, self.recorder
        layer = self.anatomy.owner.get(module)
        if layer is None:
            raise RuntimeError(f"{type(module).__name__} attends outside the layers of its tower.")
        recorder.layout = queries
        recorder.key_layout = keys if self.part.crosses else None
        recorder.skip(layer, WRITTEN, NOT_WRITTEN.format(type(module).__name__))
        values = asked.values
        sources = None
        if isinstance(values, Static) and MIX in recorder.sites:
            sources = {"own": values.value}
        rows = sum(each.rows_compared for each in self.passes.values())
        compare = compare_with(own, queries, recorder, self.anatomy.names[layer], rows)
        return recorder.attention(layer, asked, gram=None, sources=sources, compare=compare)


WHOLE = Visibility(causal=False)


def _padding_of(module: nn.Module, mask: Mask) -> Tensor | None:
    """Return which keys of the source are real, which is all that a mask may say."""
    if mask is None or (isinstance(mask, Tensor) and mask.ndim == 2):
        return mask
    if isinstance(mask, ModelMask) and PLAIN.get(mask.function) == WHOLE:
        return mask.padding
    allowed = allowed_pairs(mask.pairs() if isinstance(mask, ModelMask) else mask)
    if not bool((allowed == allowed[:, :1]).all()):
        raise NotImplementedError(
            f"{type(module).__name__} hides keys of the source in a way of its own; only padding "
            f"of the source can be recorded in cross-attention."
        )
    return allowed[:, 0]


def _sight(queries: Layout, keys: Layout) -> Visibility:
    """Let every real query see every real key."""
    if queries.segments is None and keys.segments is None:
        return WHOLE

    def mask(sequence: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query < queries.lengths[sequence]) & (key < keys.lengths[sequence])

    return Visibility(causal=False, mask=mask)


def _unrecorded(asked: AttentionCall, queries: Layout, part: ModelPart) -> Tensor:
    rule = asked.weights
    if not part.crosses:
        rule = replace(rule, segments=queries.segments)
    return attend(asked.query, asked.key, asked.values, rule)


def _as_row(out: Tensor, queries: Layout, query: Heads) -> Tensor:
    return queries.repad(out).to(query.dtype).transpose(1, 2).contiguous()
