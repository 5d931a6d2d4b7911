"""Recording the models of this package: each attention owns `attend`, and it is swapped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.composition import HeadMaps
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.mechanisms.tables import plain
from dva_lens.models.decoder import Decoder
from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.attention_rows import FIRST_ROWS, Compared, RowSample
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.norms import Gram, gram_of
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.sites import Site


@final
@dataclass(frozen=True, eq=False)
class DecoderAdapter(Adapter):
    """A model of this package."""

    model: Decoder

    @cached_property
    def grams(self) -> Mapping[int, Gram]:
        """Return W_O W_O^T per head of every layer that attends."""
        return {layer: gram_of(each.W_O) for layer, each in self.model.attentions.items()}

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Compute the attentions of the model here while inside the context."""
        recorder = Recorder(sites, backend, self.device)
        attentions = self.model.attentions
        before = {layer: each.attend for layer, each in attentions.items()}
        hooks = [self.model.register_forward_pre_hook(_begin(recorder))]
        try:
            for layer, block in enumerate(self.model.blocks):
                if layer not in attentions:
                    hooks.append(block.mixer.register_forward_pre_hook(_laid_out(recorder)))
                elif recorder.watches_attention:
                    gram = self.grams[layer] if recorder.watches_writing else None
                    own, attn = before[layer], attentions[layer]
                    attn.attend = _recorded(recorder, layer, attn, gram, own)
                if recorder.watches_stream:
                    hook = _stream(recorder, layer)
                    hooks.append(block.hook_resid_post.register_forward_hook(hook))
            yield recorder
        finally:
            for layer, own in before.items():
                attentions[layer].attend = own
            for hook in hooks:
                hook.remove()

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the model over right-padded tokens."""
        return Formed(self.model(tokens, lengths=lengths))

    def _without_attention(self, recorder: Recorder, silent: Sequence[int]) -> Mapping[int, str]:
        del recorder
        config = self.model.config
        kinds = {layer: plain("mixer", config.mixer_of(layer))["kind"] for layer in silent}
        return {
            layer: f"the layer has no attention; it has {kind} in its place"
            for layer, kind in kinds.items()
            if not config.attends(layer)
        }

    def _unattended(self, silent: Sequence[int]) -> str:
        return (
            f"Layers {list(silent)} of {self.name} did not attend through their `attend`; an "
            f"attention can be recorded only if it calls it."
        )

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.model.blocks)

    @property
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token; all of this package's do."""
        return True

    @property
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""
        if not self.model.attentions:
            return "none"
        attend = next(iter(self.model.attentions.values())).attend
        return f"{attend.__module__}.{attend.__qualname__}"

    @property
    def positions(self) -> int:
        """Return how many tokens the model has room for."""
        return self.model.config.context

    @property
    def vocabulary(self) -> int:
        """Return how many tokens the model has embeddings for."""
        return self.model.config.vocabulary

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the logits of one token in float32."""
        return 4 * self.vocabulary

    @property
    def architecture(self) -> str:
        """Return what the model is."""
        return "Decoder"


def _recorded(
    recorder: Recorder, layer: int, attention: Any, gram: Gram | None, own: Attend
) -> Attend:
    def attend(
        query: Float[Tensor, "sequence head query width"],
        key: Float[Tensor, "sequence kv_head key width"],
        values: Values,
        weights: Rule,
    ) -> Float[Tensor, "sequence head query value_width"]:
        recorder.layout = _layout(weights.segments, query[:, 0])
        call = AttentionCall(query, key, values, weights)

        def compare(out: Tensor, backend: str) -> None:
            found = _compared(call, out, own, backend=backend, place=f"Layer {layer}")
            recorder.keep_compared(found, against="attend")

        return recorder.attention(
            layer, call, gram=gram, sources=attention.value_parts, compare=compare
        )

    return attend


@torch.no_grad()
def _compared(
    call: AttentionCall, out: Tensor, own: Attend, *, backend: str, place: str
) -> Compared:
    """Compare the first rows of the first sequence with what the model's own attention returns."""
    rows = min(FIRST_ROWS, call.query.shape[2])
    wide = torch.promote_types(call.query.dtype, torch.float32)
    query, key = (each[:1, :, :rows] for each in (call.query, call.key))
    shared = type(call.values).shared
    operands = {
        name: (each if name in shared else each[:1, :, :rows]).to(wide)
        for name, each in vars(call.values).items()
    }
    values, rule = type(call.values)(**operands), _of_first(call.weights, rows)
    positions = torch.arange(rows, device=query.device)
    seen = rule.visible(positions, positions, positions[:1])[0, 0]
    positions = positions[seen.any(dim=1)]
    sizes, more = _sizes(values, positions, query.shape[1])
    sample = RowSample(
        query[0][:, positions],
        per_query_head(key, query.shape[1])[0],
        sizes * _largest_mass(rule, query, key),
        seen[positions],
        rule.scale,
        more
        + float(torch.as_tensor(rule.bias).abs().max())
        + _largest_penalty(rule, rows)
        + _largest_composed(rule, query, key),
    )
    theirs = own(query.to(wide), key.to(wide), values, rule)[0][:, positions]
    ours = out[0][:, positions]
    return sample.compare(ours, theirs, backend=backend, positions=positions, place=place)


def _largest_mass(rule: Rule, query: Tensor, key: Tensor) -> float:
    """Return what the absolute weights of a row may total at most."""
    if rule.after is not None:
        own = _largest_mass(replace(rule, composition=None), query, key)
        return own * _growth(rule.after, query)
    if rule.normaliser == "relu":
        largest = query.norm(dim=-1).max() * key.norm(dim=-1).max()
        bias = torch.as_tensor(rule.bias).abs().max()
        return max(1.0, float(abs(rule.scale) * largest + bias))
    return float(query.shape[2]) if rule.normaliser == "sigmoid" else 1.0


def _largest_composed(rule: Rule, query: Tensor, key: Tensor) -> float:
    """Return what heads make at most of the products of all of them."""
    if rule.before is None:
        return 0.0
    largest = query.norm(dim=-1).max() * key.norm(dim=-1).max()
    return float(abs(rule.scale) * largest) * _growth(rule.before, query)


def _growth(maps: HeadMaps, query: Tensor) -> float:
    """Return how many times larger entries of heads may become, and how often they are rounded.

    Compared with what rounds them otherwise, every head that goes in rounds them a few times.
    """
    places = torch.arange(query.shape[2], device=query.device)
    ones = torch.ones_like(query[..., :1]).expand(-1, -1, -1, len(places))
    sums = maps.absolute().of(ones, Pairs(places, places))
    return query.shape[1] * float(sums.max())


def _largest_penalty(rule: Rule, rows: int) -> float:
    """Return what distance takes at most from one of the first rows, or adds to it."""
    added = [each for each in (rule.query_terms, rule.key_terms) if each is not None]
    largest = sum(float(each.detach().abs().max()) for each in added)
    largest += 0.0 if rule.text_blocks is None else rule.text_blocks.largest()
    return largest + (0.0 if rule.decay is None else -min(rule.decay.rates) * rows)


def _of_first(rule: Rule, rows: int) -> Rule:
    """Return the rule of the first rows of the first sequence."""
    bias, segments = rule.bias, rule.segments
    if isinstance(bias, Tensor):
        bias = bias[:1, :, :rows, :rows]
    changed: dict[str, Any] = {"bias": bias}
    for name in ("query_terms", "key_terms"):
        terms = getattr(rule, name)
        changed[name] = None if terms is None else terms[:1, :, :rows]
    if rule.text_blocks is not None:
        changed["text_blocks"] = rule.text_blocks.cut(slice(0, 1), slice(0, rows))
    if rule.composition is not None:
        changed["composition"] = rule.composition.cut(slice(0, 1), slice(0, rows))
    changed["segments"] = None if segments is None else segments[:1, :rows]
    return replace(rule, **changed)


def _sizes(
    values: Values, queries: Int[Tensor, "row"], heads: int
) -> tuple[Float[Tensor, "head #row key"], float]:
    """Return what values are at most, with what they are made of, and how large their gates are.

    A value of a pair is rounded as often as it is formed of something; the argument of a gate or
    of a choice among values is one more score.
    """
    if isinstance(values, Static):
        return per_query_head(values.value.float().norm(dim=-1), heads)[0][:, None], 0.0
    operands = {
        name: each.flatten(3).norm(dim=-1).max()
        for name, each in vars(values).items()
        if name not in values.places
    }
    keys = torch.arange(next(iter(vars(values).values())).shape[2], device=queries.device)
    formed = values.pairs(queries, keys, heads)[0].norm(dim=-1)
    inner = operands.get("left", 0.0) * operands.get("right", 0.0)
    return formed + sum(operands.values()), float(inner)


def _laid_out(recorder: Recorder) -> Any:
    def laid_out(module: nn.Module, args: Any) -> None:
        del module
        stream, segments = args
        recorder.layout = _layout(segments, stream)

    return laid_out


def _layout(
    segments: Int[Tensor, "sequence position"] | None,
    stream: Float[Tensor, "sequence position channel"],
) -> Layout:
    rows, columns = stream.shape[:2]
    if segments is None:
        return Layout.plain(torch.full((rows,), columns, device=stream.device), columns)
    if int(segments.max()) > 1:
        raise NotImplementedError(
            "Several texts in one sequence cannot be recorded; pass each text as a sequence of "
            "its own, padded on the right."
        )
    return Layout.plain(segments.sum(dim=1), columns)


def _begin(recorder: Recorder) -> Any:
    def begin(module: nn.Module, args: Any) -> None:
        del module, args
        recorder.reset()

    return begin


def _stream(recorder: Recorder, layer: int) -> Any:
    def stream(module: nn.Module, args: Any, hidden: Tensor) -> None:
        del module, args
        recorder.stream(layer, hidden)

    return stream
