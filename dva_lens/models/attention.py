"""Attention of a layer: projections, hooks, the value path, and whatever computes the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, rms_norm
from transformer_lens.hook_points import HookPoint

from dva_lens.kernels.attention import Attend, attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.mechanisms.past_blocks import PlacedHeads
from dva_lens.mechanisms.value_form.form import Stream
from dva_lens.mechanisms.variant import LinearFactory
from dva_lens.models.config import ModelConfig
from dva_lens.models.explicit import attend_explicitly
from dva_lens.models.state import CrossLayerState
from dva_lens.models.value_path import UsedValue, ValuePath

Input = Float[Tensor, "batch position *head width"]
Heads = Float[Tensor, "batch position any_head any_width"]
Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Attended = Float[Tensor, "batch position head value"]
EPSILON = 1e-5
SHARED, SOURCE, OUTPUT = "shared keys and values", "value source", "output"
PATTERN = "shared pattern"


@final
@dataclass(frozen=True)
class Inputs:
    """The normalised stream as queries, keys and values read it: shared, or one copy per head.

    `whole` is the stream that no tool has copied for a head.
    """

    query: Float[Tensor, "batch position *head width"]
    key: Float[Tensor, "batch position *kv_head width"]
    value: Float[Tensor, "batch position *kv_head width"]
    whole: Float[Tensor, "batch position width"]


@final
@dataclass(frozen=True)
class Shared:
    """Keys before rotary position and static values, for the layers that compute none."""

    key: Heads
    used: UsedValue


@final
@dataclass(frozen=True)
class SharedPattern:
    """Queries and keys before rotary position, for the layers that weigh as this one does."""

    query: Heads
    key: Heads


@final
class Attention(nn.Module):
    """One attention layer with TransformerLens's hooks.

    `attend` is a plain attribute: whoever records swaps it. It is not called while a hook watches
    scores or pattern, because then these are formed. During the call `value_parts` holds the
    summands of the static value, (batch, kv_head, key, width) by source.
    """

    query: nn.Module | None
    key: nn.Module | None
    value: nn.Module | None
    out: nn.Linear
    passed: nn.Module | None
    rule: nn.Module
    visible: nn.Module | None
    terms: nn.Module | None
    phases: nn.Module | None
    past: nn.Module | None
    composed: nn.Module | None
    rotation: nn.Module | None
    gate: nn.Module | None

    def __init__(
        self, config: ModelConfig, layer: int, linear: LinearFactory, switches: Any
    ) -> None:
        super().__init__()
        shape, self.channels_read = config.shape, config.channels_read
        part = replace(shape, width=self.channels_read)
        self.heads, self.kv_heads, self.switches = shape.heads, shape.kv_heads, switches
        scores, self.qk_dim = config.scores_of(layer), shape.qk_dim
        self.reads, self.maps_tokens = scores.reads, scores.of_tokens
        self.owns_keys, self.owns_pattern = config.owns_keys(layer), config.owns_pattern(layer)
        self.query = self.key = self.value = None
        if self.owns_pattern:
            self.query = scores.build(part, shape.heads, linear)
        if self.owns_keys and self.owns_pattern:
            self.key = scores.build(part, shape.kv_heads, linear)
        if config.owns_values(layer):
            self.value = linear(part.width, shape.value_channels)
        written = config.projections.of_output
        self.out = written.build(shape.output_channels, shape.width, bias=config.biases)
        self.passed = _passed(config)
        self.mix = ValuePath(config, layer)
        rule, visible = config.rule_of(layer), config.visibility_of(layer)
        self.rule, self.visible = rule.build(shape), visible.build(shape)
        self.terms, self.phases = scores.terms(shape), scores.phases(shape)
        self.past, self.composed = rule.past(shape), _composed(config, layer, linear)
        self.features: Callable[[Tensor], Tensor] | None = rule.features()
        self.rotation = config.positions.rotation(shape)
        self.gate = config.output.build(shape, layer, linear)
        self.layer, self.shares = layer, config.share_kv_every > 1
        self.shares_pattern = config.share_pattern_every > 1
        self._add_hooks()
        self.attend: Attend = attend
        self.value_parts: Mapping[str, Tensor] | None = None

    def _add_hooks(self) -> None:
        self.hook_q, self.hook_k, self.hook_v = HookPoint(), HookPoint(), HookPoint()
        self.hook_q_input, self.hook_k_input, self.hook_v_input = (HookPoint() for _ in range(3))
        self.hook_attn_scores, self.hook_pattern = HookPoint(), HookPoint()
        self.hook_z, self.hook_result = HookPoint(), HookPoint()
        if self.rotation is not None:
            self.hook_rot_q, self.hook_rot_k = HookPoint(), HookPoint()
        if self.passed is not None:
            self.hook_passed = HookPoint()

    def forward(
        self, inputs: Inputs, state: CrossLayerState
    ) -> tuple[Float[Tensor, "batch position width"], CrossLayerState]:
        """Return what the layer writes to the stream."""
        copied: SharedPattern | None = None if self.owns_pattern else state.get(PATTERN)
        query = self.hook_q(
            self._compared(self.query, inputs.query, self.heads, state)
            if copied is None
            else copied.query
        )
        key, used, state = self._keys_and_values(inputs, state, copied)
        if self.shares_pattern and copied is None:
            state = state.put(PATTERN, SharedPattern(query, key))
        rule = self._rule_of(state, query, key)
        values = self.mix.formed(query, key, used.value, self._stream(inputs))
        query, key, rule = self._placed(query, key, rule)
        if self.composed is not None:
            rule = self.composed(rule, inputs.whole)
        attended = self.mix.hook_z(self._attended(query, key, values, rule, used))
        if self.gate is not None:
            attended, handed_on = self.gate(
                attended, self._projector(inputs), used.value, state.get(OUTPUT)
            )
            state = state.put(OUTPUT, handed_on)
        written = self._written(self.hook_z(attended))
        if self.passed is not None:
            unread = inputs.whole[..., self.channels_read :]
            written = written + self.hook_passed(self.passed(unread))
        return written, state

    def _rule_of(self, state: CrossLayerState, query: Query, key: Key) -> Rule:
        """Return the rule for the texts of a batch, with what queries and keys add to it."""
        rule: Rule = self.rule(state.segments)
        if self.terms is not None:
            rule = self.terms(rule, query, key)
        return rule if self.visible is None else self.visible(rule, query, key)

    def _placed(self, query: Query, key: Key, rule: Rule) -> tuple[Query, Key, Rule]:
        """Return queries and keys as kernels compare them, and the rule that goes with them."""
        if self.phases is not None:
            query, key = self.phases(query, key)
        before = query, key
        if self.rotation is not None:
            query = self.hook_rot_q(self.rotation(query))
            key = self.hook_rot_k(self.rotation(key))
        if self.features is not None:
            query, key = self.features(query), self.features(key)
        if self.past is not None:
            rule = self.past(rule, PlacedHeads(*before, query, key, self.rotation))
        return query, key, rule

    def _compared(
        self, made: nn.Module | None, inputs: Input, heads: int, state: CrossLayerState
    ) -> Heads:
        """Return queries or keys before rotary position."""
        if made is None:
            return inputs.new_zeros(*inputs.shape[:2], heads, self.qk_dim)
        if self.reads == "positions":
            return made(inputs)
        if self.reads == "embedding":
            inputs = rms_norm(state.start, state.start.shape[-1:], eps=EPSILON)
        return _per_head(made, inputs[..., : self.channels_read], heads)

    def _keys_and_values(
        self, inputs: Inputs, state: CrossLayerState, copied: SharedPattern | None
    ) -> tuple[Heads, UsedValue, CrossLayerState]:
        """Return keys and values before the repetition for query heads, made here or shared."""
        if not self.owns_keys:
            shared: Shared = state.get(SHARED)
            value = self.hook_v(shared.used.value)
            return self.hook_k(shared.key), UsedValue(value, {"donor": value}), state
        key = self.hook_k(
            self._compared(self.key, inputs.key, self.kv_heads, state)
            if copied is None
            else copied.key
        )
        projected = None
        if self.value is not None:
            read = inputs.value[..., : self.channels_read]
            projected = _per_head(self.value, read, self.kv_heads)
        own = self.hook_v(self.mix.own(projected, state.tokens, state.get(SOURCE)))
        used, handed_on = self.mix.mixed(own, state.get(SOURCE))
        state = state.put(SOURCE, handed_on)
        if self.shares:
            state = state.put(SHARED, Shared(key, used))
        return key, used, state

    def _attended(
        self, query: Query, key: Key, values: Values, rule: Rule, used: UsedValue
    ) -> Attended:
        query, key = query.transpose(1, 2), key.transpose(1, 2)
        if self.hook_attn_scores.has_hooks() or self.hook_pattern.has_hooks():
            mixed = attend_explicitly(
                query,
                key,
                values,
                rule,
                hook_scores=self.hook_attn_scores,
                hook_pattern=self.hook_pattern,
            )
            return mixed.transpose(1, 2)
        self.value_parts = {name: part.transpose(1, 2) for name, part in used.summands.items()}
        try:
            return self.attend(query, key, values, rule).transpose(1, 2)
        finally:
            self.value_parts = None

    def _stream(self, inputs: Inputs) -> Stream:
        return Stream(
            of_query=lambda linear: _per_head(linear, inputs.query, self.heads),
            of_key=lambda linear: _per_head(linear, inputs.value, self.kv_heads),
        )

    def _projector(self, inputs: Inputs) -> Callable[[nn.Module], Heads]:
        return lambda linear: _per_head(linear, inputs.query, self.heads)

    def _written(self, attended: Attended) -> Float[Tensor, "batch position width"]:
        if not self.switches.use_attn_result:
            return self.out(attended.flatten(2))
        result = self.hook_result(torch.einsum("bnhd,hdm->bnhm", attended, self.W_O))
        written = result.sum(2)
        return written if self.out.bias is None else written + self.out.bias

    def _map(self, made: nn.Module | None) -> nn.Module | None:
        """Return what makes queries or keys where it is a linear map."""
        return made if self.maps_tokens else None

    def _over_all_channels(
        self, weight: Float[Tensor, "any_head part inner"]
    ) -> Float[Tensor, "any_head width inner"]:
        """Return weights of the whole stream, zero for the channels that are not read."""
        return pad(weight, (0, 0, 0, len(self.out.weight) - self.channels_read))

    @property
    def W_Q(self) -> Float[Tensor, "head width qk"]:  # noqa: N802
        """Return the query weights per head, input first."""
        made = _stacked(self._map(self.query), self.heads, "queries", self.layer)
        return self._over_all_channels(made)

    @property
    def W_K(self) -> Float[Tensor, "kv_head width qk"]:  # noqa: N802
        """Return the key weights per key-value head, input first."""
        made = _stacked(self._map(self.key), self.kv_heads, "keys", self.layer)
        return self._over_all_channels(made)

    @property
    def W_V(self) -> Float[Tensor, "kv_head width value"]:  # noqa: N802
        """Return the value weights per key-value head, input first."""
        made = _stacked(self.value, self.kv_heads, "values", self.layer)
        return self._over_all_channels(made)

    @property
    def W_O(self) -> Float[Tensor, "head value width"]:  # noqa: N802
        """Return the output weights per head, input first."""
        return self.out.weight.T.unflatten(0, (self.heads, -1))

    @property
    def b_O(self) -> Float[Tensor, "width"]:  # noqa: N802
        """Return the shift of the output, zero where there is none."""
        weight = self.out.weight
        return weight.new_zeros(len(weight)) if self.out.bias is None else self.out.bias


def _passed(config: ModelConfig) -> nn.Module | None:
    """Return the output projection of the channels that are not attended, if there are any."""
    unread = config.width - config.channels_read
    made = config.projections.of_output
    return made.build(unread, config.width, bias=False) if unread else None


def _composed(config: ModelConfig, layer: int, linear: LinearFactory) -> nn.Module | None:
    """Return what composes the heads of a layer, if anything does."""
    return config.composition_of(layer).build(config.shape, linear)


def _per_head(linear: Any, inputs: Input, heads: int) -> Heads:
    """Return a map cut into heads; inputs with a head axis go to their own head."""
    if inputs.ndim == 3:
        return linear(inputs).unflatten(-1, (heads, -1))
    if not hasattr(linear, "weight"):
        each = linear(inputs).unflatten(-1, (heads, -1))
        return each.diagonal(dim1=2, dim2=3).mT
    weight = linear.weight.unflatten(0, (heads, -1))
    mapped = torch.einsum("bnhm,hdm->bnhd", inputs, weight)
    return mapped if linear.bias is None else mapped + linear.bias.unflatten(0, (heads, -1))


def _stacked(
    linear: Any, heads: int, what: str, layer: int
) -> Float[Tensor, "any_head width inner"]:
    if linear is None:
        raise LookupError(
            f"Layer {layer} computes no {what} of its own, so it has no weights for them; they "
            f"come from another layer or from a table, or are zero."
        )
    if not hasattr(linear, "weight"):
        raise LookupError(
            f"The {what} of layer {layer} are looked up in tables and are no linear map, so there "
            f"are no weights for them."
        )
    return linear.weight.unflatten(0, (heads, -1)).mT
