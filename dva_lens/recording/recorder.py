"""What an attachment keeps of one forward pass, whatever model it watches."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.backends import BACKENDS, choose, with_moments
from dva_lens.kernels.blocked.moments import Moments
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.recording.attention_rows import Compared
from dva_lens.recording.edge_plan import EdgePlan
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import (
    Gram,
    accurate,
    stream_norms,
    value_mix,
    value_norms,
    written_norms,
)
from dva_lens.recording.tiles import alone, row_tiles
from dva_lens.records import MAY_BE_NEGATIVE, Fact, LayerRecord, PassReader, RowTile
from dva_lens.sites import (
    DYNAMICS,
    EDGES,
    GEOMETRY,
    MIX,
    SITES,
    STREAM,
    SUMMARY,
    TILES,
    VALUES,
    WRITTEN,
    Site,
    ValueDynamics,
)

Compare = Callable[[Tensor, str], None]
"""Compares the output of an attention by a named backend with the model's own attention."""
ATTENTION_SITES = (SUMMARY, VALUES, WRITTEN, MIX, DYNAMICS, TILES, EDGES)


@final
@dataclass(frozen=True)
class AttentionCall:
    """One attention as the model asks for it, taken apart into sequences from position zero."""

    query: Float[Tensor, "sequence head query width"]
    key: Float[Tensor, "sequence kv_head key width"]
    values: Values
    weights: Rule


@final
@dataclass(frozen=True)
class Attended:
    """One attention of a layer, computed, while it is not known yet what it is written through."""

    layer: int
    call: AttentionCall
    out: Float[Tensor, "sequence head query value_width"]
    summary: Summary
    moments: Moments | None


@final
class Recorder:
    """Collects the records of the layers of one forward pass after another.

    `wanted` is the backend that was asked for and `backend` names those that ran. `residual` is
    how far the weights of any query, with its sink, are from summing to one.
    `listener` hears every attention before it is computed, and `written` what it is written
    through. `edit` may change what a layer attended before the model goes on with it.
    `looks_ahead` says whether any query may see a later key.
    """

    def __init__(self, sites: Iterable[Site[object]], backend: str, device: torch.device) -> None:
        self.sites = frozenset(known(sites))
        self.backend = choose(backend, device)
        self.wanted = self._ran = backend
        self.residual = float("nan")
        self.layout: Layout | None = None
        self.key_layout: Layout | None = None
        self.reader: PassReader | None = None
        self.plan: EdgePlan | None = None
        self.finish: Callable[[], None] | None = None
        self.edit: Callable[[int, Tensor], Tensor] | None = None
        self.listener: Callable[[int, AttentionCall], None] | None = None
        self.written: Callable[[int, Gram | None], None] | None = None
        self.tokens: Int[np.ndarray, "sequence position"] | None = None
        self.key_tokens: Int[np.ndarray, "sequence key"] | None = None
        self.looks_ahead = False
        self.visible_rows = 0
        self._compared: dict[str, Compared] = {}
        self._layers: dict[int, dict[str, Any]] = {}
        self._why_not: dict[int, dict[str, str]] = {}
        self._attended: set[int] = set()
        self._open: Attended | None = None

    @property
    def fidelity(self) -> dict[str, Fact]:
        """Return what the attentions of all passes were compared with, and how close they came.

        `fidelity_against` names the functions that the model itself would have called, and
        `fidelity_attention` is the largest distance between a row of their outputs and ours,
        relative to the largest value that its query sees; `fidelity_attention_rows` counts the
        rows, of all layers, and `fidelity_visible_rows` those that were held against a mask.
        """
        if not self._compared:
            return {}
        total = functools.reduce(Compared.merge, self._compared.values())
        return {
            "fidelity_against": "+".join(sorted(self._compared)),
            "fidelity_attention": total.largest,
            "fidelity_attention_rows": total.rows,
            "fidelity_visible_rows": self.visible_rows,
        }

    def keep_compared(self, found: Compared, *, against: str) -> None:
        """Keep how close an attention came to one that the model would have computed."""
        self._compared[against] = found.merge(self._compared.get(against, Compared()))

    @property
    def watches_attention(self) -> bool:
        """Whether any site asks for the attention itself."""
        return any(site in self.sites for site in ATTENTION_SITES)

    @property
    def watches_writing(self) -> bool:
        """Whether any site asks for what goes through the output projection."""
        return not self.sites.isdisjoint((WRITTEN, TILES, EDGES))

    @property
    def watches_stream(self) -> bool:
        """Whether any site asks for the residual stream."""
        return STREAM in self.sites or GEOMETRY in self.sites

    @property
    def lengths(self) -> Int[np.ndarray, "sequence"]:
        """Return the lengths of the sequences of the running pass.

        Raises
        ------
        RuntimeError
            No forward pass has begun.
        """
        if self.layout is None:
            raise RuntimeError("No forward pass has begun, so there are no lengths to speak of.")
        return self.layout.lengths.cpu().numpy()

    @property
    def key_lengths(self) -> Int[np.ndarray, "sequence"] | None:
        """Return the lengths of the text of the keys, None where it is that of the queries."""
        return None if self.key_layout is None else self.key_layout.lengths.cpu().numpy()

    def attention(
        self,
        layer: int,
        call: AttentionCall,
        *,
        gram: Gram | None,
        sources: Mapping[str, Float[Tensor, "sequence kv_head key value_width"]] | None = None,
        compare: Compare | None = None,
    ) -> Float[Tensor, "sequence head query _"]:
        """Compute one attention, keep what its sites ask for, and return the output.

        Without `gram` the sites of what is written wait for `written_through`. Nothing is
        computed in a lower precision than the call's own, whatever autocast says. `compare` gets
        the output before `edit` does.
        """
        with torch.autocast(call.query.device.type, enabled=False):
            out = self._attention(layer, call, gram=gram, sources=sources)
            if compare is not None:
                compare(out, self._ran)
            return out if self.edit is None else self.edit(layer, out)

    def _attention(
        self,
        layer: int,
        call: AttentionCall,
        *,
        gram: Gram | None,
        sources: Mapping[str, Float[Tensor, "sequence kv_head key value_width"]] | None,
    ) -> Float[Tensor, "sequence head query _"]:
        self.written_through(None)
        kept = self._begin(layer)
        call = replace(call, weights=self._without_padding(call.weights))
        self.looks_ahead |= not call.weights.causal
        out, summary, found = self._compute(layer, call)
        lengths = self.lengths if self.key_lengths is None else self.key_lengths
        if SUMMARY in self.sites:
            kept["summary"] = summary.numpy(self.lengths, self.key_lengths)
            self._check_rows(summary, call.weights)
        if VALUES in self.sites:
            mean = None if found is None else found.mean
            kept["values"] = value_norms(call.values, mean=mean, lengths=lengths)
        if self._of_one_sign(layer, call.weights) and DYNAMICS in self.sites:
            kept["dynamics"] = _dynamics(call, summary, found)
        if MIX in self.sites and sources is not None:
            kept["mix"] = value_mix(sources, lengths)
        if self.watches_writing:
            self._open = Attended(layer, call, out, summary, found)
        if gram is not None:
            self.written_through(gram)
        return out

    def _of_one_sign(self, layer: int, rule: Rule) -> bool:
        """Say whether no weight is negative; where one may be, keep that and say why not."""
        if rule.after is None:
            return True
        self._layers[layer]["signed"] = True
        for site in (DYNAMICS, TILES):
            self.skip(layer, site, MAY_BE_NEGATIVE)
        return False

    def _without_padding(self, rule: Rule) -> Rule:
        """Hide padding, unless the rule does; keys of another text come with a mask of theirs."""
        if self.layout is None or self.key_layout is not None or rule.segments is not None:
            return rule
        return replace(rule, segments=self.layout.segments)

    def written_through(self, gram: Gram | None) -> None:
        """Keep what the last attention wrote through W_O, or what can be said without it."""
        done, self._open = self._open, None
        if done is None:
            return
        with torch.autocast(done.out.device.type, enabled=False):
            self._write(done, gram)

    def _write(self, done: Attended, gram: Gram | None) -> None:
        kept, call = self._layers[done.layer], done.call
        if self.written is not None:
            self.written(done.layer, gram)
        if WRITTEN in self.sites and gram is not None:
            kept["written"] = written_norms(
                call.values,
                done.out,
                done.summary.first_mass,
                gram,
                mean=None if done.moments is None else done.moments.mean,
                lengths=self.lengths,
                keys=self.key_lengths,
            )
        if TILES in self.sites and self.reader is not None and not kept.get("signed"):
            kept["tiles"] = self.reader.tiles(self._tiles(call, gram))
        if self.plan is not None and self._keeps_edges:
            given = (call.query, call.key, call.values, call.weights)
            kept["edges"] = self.plan.of_call(*given, done.out, gram, self.lengths)

    @property
    def _keeps_edges(self) -> bool:
        """Whether edges are kept: only where queries and keys are of one text."""
        return EDGES in self.sites and self.plan is not None and self.key_layout is None

    def _compute(self, layer: int, call: AttentionCall) -> tuple[Tensor, Summary, Moments | None]:
        """Compute an attention, with the moments of its values where they are needed."""
        if self.listener is not None:
            self.listener(layer, call)
        ran, given = self._choose(call), (call.query, call.key, call.values, call.weights)
        try:
            if self._wants_moments(call):
                return with_moments(ran, *given)
            return *BACKENDS[ran](*given), None
        except ValueError as error:
            raise ValueError(f"Layer {layer}: {error}") from error

    def _choose(self, call: AttentionCall) -> str:
        """Choose for what a call holds, and keep the names of all that ran in this pass."""
        ran = choose(
            self.wanted,
            call.query.device,
            query=call.query,
            values=call.values,
            rule=call.weights,
        )
        if len(self._attended) == 1:
            self.backend = ran
        elif ran not in self.backend.split("+"):
            self.backend = f"{self.backend}+{ran}"
        self._ran = ran
        return ran

    def _tiles(
        self, call: AttentionCall, gram: Gram | None
    ) -> Iterator[tuple[int, Iterator[RowTile]]]:
        """Go through the sequences, and through the rows of each."""
        other = self.key_lengths
        keys, tokens = self.lengths if other is None else other, self.tokens
        tokens = tokens if other is None else self.key_tokens
        for sequence, length in enumerate(int(each) for each in self.lengths):
            seen = int(keys[sequence])
            words = np.full(seen, -1) if tokens is None else tokens[sequence, :seen]
            own = slice(sequence, sequence + 1)
            values, weights = alone(call.values, sequence), alone(call.weights, sequence)
            rows = row_tiles(
                call.query[own],
                call.key[own],
                values,
                weights,
                gram=gram,
                tokens=words,
                queries=None if other is None else length,
            )
            yield length, rows

    def keep(
        self,
        layer: int,
        record: LayerRecord,
        tiles: Callable[[], Iterable[tuple[int, Iterable[RowTile]]]] | None = None,
    ) -> None:
        """Keep what was computed elsewhere of one attention, as far as its sites ask for it.

        `tiles` goes through the rows of its sequences, as often as it is called.
        """
        kept = self._begin(layer)
        for site in ATTENTION_SITES:
            if site in self.sites and getattr(record, site.name) is not None:
                kept[site.name] = getattr(record, site.name)
        if TILES in self.sites and self.reader is not None and tiles is not None:
            kept["tiles"] = self.reader.tiles(tiles())
        if self.plan is not None and self._keeps_edges and tiles is not None:
            kept["edges"] = self.plan.of_rows(tiles())
        self._why_not.setdefault(layer, {}).update(record.why_not)

    def stream(self, layer: int, hidden: Float[Tensor, "sequence position channel"]) -> None:
        """Keep the sizes of the residual stream after a layer."""
        kept = self._layers.setdefault(layer, {})
        if STREAM in self.sites:
            kept["stream"] = stream_norms(hidden, self.lengths)
        if GEOMETRY in self.sites and self.reader is not None:
            pairs = zip(hidden.detach(), self.lengths, strict=True)
            clouds = (accurate(each[:length]).cpu().numpy() for each, length in pairs)
            kept["geometry"] = self.reader.geometry(clouds)

    def skip(self, layer: int, site: Site[object], reason: str) -> None:
        """Say why a layer has nothing at a site."""
        self._why_not.setdefault(layer, {})[site.name] = reason

    def take(self, layers: int) -> tuple[LayerRecord, ...]:
        """Return what the last pass left behind in so many layers, and forget it."""
        self.written_through(None)
        if self.finish is not None:
            self.finish()
        taken = tuple(self._taken(layer) for layer in range(layers))
        self.reset()
        return taken

    def _taken(self, layer: int) -> LayerRecord:
        held = self._layers.get(layer, {})
        reasons = self._why_not.get(layer, {})
        why_not = {name: reason for name, reason in reasons.items() if name not in held}
        return LayerRecord(**held, why_not=why_not)

    def reset(self) -> None:
        """Forget what has been recorded, as before a pass."""
        self._layers.clear()
        self._attended.clear()
        self._why_not.clear()
        self._open = None

    def again(self, layer: int) -> None:
        """Forget what was recorded of one layer, to record it anew."""
        self._layers.pop(layer, None)
        self._attended.discard(layer)

    def attended(self) -> frozenset[int]:
        """Return the layers whose attention was computed here since the last `reset`."""
        return frozenset(self._attended)

    def _wants_moments(self, call: AttentionCall) -> bool:
        """Say whether the mean values of keys are needed; static values are their own."""
        wanted = not self.sites.isdisjoint((VALUES, WRITTEN, DYNAMICS))
        return wanted and not isinstance(call.values, Static)

    def _begin(self, layer: int) -> dict[str, Any]:
        if layer in self._attended:
            raise NotImplementedError(
                f"Layer {layer} attends twice in one pass (cross-attention, or a module shared "
                f"between layers); a record holds one attention per layer."
            )
        self._attended.add(layer)
        return self._layers.setdefault(layer, {})

    def _check_rows(self, summary: Summary, weights: Rule) -> None:
        if weights.normaliser != "softmax" or weights.after is not None:
            return
        total = summary.row_mass
        if weights.sink is not None:
            sink = weights.sink.to(total.dtype)[:, None]
            total = total + torch.exp(sink - summary.log_sum_exp)
        above = total - 1
        gap = above.abs() if weights.fade is None else above.clamp(min=0.0)
        gap = gap.masked_fill(summary.visible[:, None] < 1, 0.0)
        self.residual = max(0.0 if math.isnan(self.residual) else self.residual, float(gap.max()))


def _dynamics(call: AttentionCall, summary: Summary, found: Moments | None) -> ValueDynamics:
    if found is not None:
        power, mean_power = found.power.cpu().numpy(), found.mean_power.cpu().numpy()
        return ValueDynamics(power=power, mean_power=mean_power)
    if not isinstance(call.values, Static):
        raise TypeError("Values that depend on the query need their moments.")
    size = call.values.value.to(summary.received.dtype).square().sum(-1)
    power = (summary.received * per_query_head(size, call.query.shape[1])).sum(-1).cpu().numpy()
    return ValueDynamics(power=power, mean_power=power)


def known(sites: Iterable[Site[object]]) -> tuple[Site[object], ...]:
    """Return the sites, or say which one there is no such place for.

    Raises
    ------
    KeyError
        A site is not one of the table of sites.
    """
    sites = tuple(sites)
    for site in sites:
        if SITES.get(site.name) != site:
            raise KeyError(f"Unknown site {site.name!r}; there are: {', '.join(SITES)}.")
    return sites
