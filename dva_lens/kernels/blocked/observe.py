"""One pass over an attention, block by block, that leaves its output and its summary."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.pair_readers import PairObserver, PairReader
from dva_lens.kernels.blocked.pattern import BlockPattern, Rows, patterns, summed
from dva_lens.kernels.blocked.readers import (
    ExpertGatedReader,
    GatedReader,
    Read,
    SeparableReader,
    StaticReader,
    ValueReader,
)
from dva_lens.kernels.blocked.relative import RelativeReader
from dva_lens.kernels.blocks import QueryBlock, counts
from dva_lens.kernels.late import late_received
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import (
    CollapsingValues,
    ExpertGated,
    QueryGated,
    Relative,
    Separable,
    Static,
    Values,
)

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]

READERS = {
    Static: StaticReader,
    QueryGated: GatedReader,
    ExpertGated: ExpertGatedReader,
    Separable: SeparableReader,
    Relative: RelativeReader,
}
PER_QUERY = (
    "log_sum_exp", "entropy", "square_sum", "largest", "first_mass", "self_mass",
    "previous_mass", "distance", "row_mass", "value_norm", "rest_mass", "rest_entropy",
    "rest_distance",
)  # fmt: skip


@final
class Observation:
    """The numbers of an attention as its blocks come in."""

    def __init__(self, query: Query, key: Key, rule: Rule) -> None:
        batch, heads, length, _ = query.shape
        keys = key.shape[2]
        self.rule = rule
        self.rows = query.new_zeros(len(PER_QUERY), batch, heads, length)
        self.rows[PER_QUERY.index("log_sum_exp")] = of_nothing(query, rule)
        self.received = query.new_zeros(batch, heads, keys)
        self._blocks: list[QueryBlock] = []
        places = torch.arange(max(length, keys), device=query.device)
        self._positions = places.to(query.dtype)

    def add(self, part: BlockPattern, read: Read) -> None:
        """Keep what one block says of its queries, and add what its keys receive."""
        block, pattern = part.block, part.weights
        if block.heads.start == 0:
            self._blocks.append(block)
        rows = self.rows[:, block.batch, block.heads, block.queries].unbind()
        found = dict(zip(PER_QUERY, rows, strict=True))
        found["log_sum_exp"].copy_(part.log_sum_exp)
        found["entropy"].copy_(part.entropy)
        torch.linalg.vector_norm(pattern, dim=-1, out=found["square_sum"]).square_()
        found["largest"].copy_(part.largest)
        found["first_mass"].copy_(_first(part))
        _diagonal(part, back=0, into=found["self_mass"])
        _diagonal(part, back=1, into=found["previous_mass"])
        row_mass, rest = summed(pattern, block)
        found["row_mass"].copy_(row_mass)
        found["rest_mass"].copy_(rest)
        found["rest_entropy"].copy_(self._rest_entropy(part, rest))
        back = self._rest_distance(part, rest, read.rest_offset)
        found["rest_distance"].copy_(back)
        found["distance"].copy_(back.addcmul_(found["first_mass"], self._positions[block.queries]))
        found["value_norm"].copy_(read.sizes)
        self.received[block.by_key] += pattern.sum(dim=-2)

    def _rest_entropy(self, part: BlockPattern, rest: Rows) -> Rows:
        """Return -sum_j p_ij log p_ij over the keys but key 0."""
        if self.rule.normaliser == "sigmoid":
            return part.rest_energy.neg()
        normaliser = part.log_sum_exp.masked_fill(rest == 0, 0.0)
        return normaliser.mul_(rest).sub_(part.rest_energy)

    def _rest_distance(self, part: BlockPattern, rest: Rows, offset: Rows | None) -> Rows:
        """Return sum_j p_ij (i - j) over the keys but key 0."""
        block, pattern = part.block, part.weights
        if offset is None:
            places = block.rest_from_last(self._positions)
            offset = torch.mv(pattern.view(-1, pattern.shape[-1]), places)
        here = block.from_last(self._positions, block.queries) * rest
        return here.sub_(offset.view_as(here))

    def summary(self, query: Query, key: Key, output: Output) -> Summary:
        """Return everything that was seen."""
        batch, _, keys = self.received.shape
        device, length = self.received.device, self.rows.shape[-1]
        visible, viewers = counts(
            self.rule, length, keys=keys, batch=batch, device=device, among=self._blocks
        )
        late = late_received(self.received, query, key, self.rule, visible=visible)
        return Summary(
            **dict(zip(PER_QUERY, self.rows.unbind(), strict=True)),
            output_norm=output.to(self.received.dtype).norm(dim=-1),
            received=self.received,
            late_received=late,
            visible=visible,
            viewers=viewers,
        )

    @property
    def row_mass(self) -> Tensor:
        """Return what the weights of each query sum to."""
        return self.rows[PER_QUERY.index("row_mass")]


def _first(part: BlockPattern) -> Tensor:
    """Return the weight of each query on the first key."""
    return part.weights[..., 0] if part.block.keys.start == 0 else torch.zeros_like(part.entropy)


def _diagonal(part: BlockPattern, *, back: int, into: Rows) -> None:
    """Write the weight of each query on the key so many positions back; 0 stays where none is."""
    offset = part.block.queries.start - back - part.block.keys.start
    found = part.weights.diagonal(offset=offset, dim1=-2, dim2=-1)
    start = max(0, -offset)
    into[..., start : start + found.shape[-1]] = found


def of_nothing(query: Query, rule: Rule) -> Tensor:
    """Return log-sum-exp of rows that see no key."""
    if rule.normaliser == "sigmoid":
        return query.new_tensor(torch.nan)
    if rule.sink is None:
        return query.new_tensor(-torch.inf)
    return rule.sink.to(query.dtype)[:, None]


def reader_of(
    values: Values, heads: int, dtype: torch.dtype, observer: PairObserver | None
) -> ValueReader:
    """Return the reader of a value form."""
    if type(values) in READERS:
        return READERS[type(values)](values, heads, dtype)
    return PairReader(values, heads, dtype, observer=observer)


@torch.no_grad()
def observe(
    query: Query,
    key: Key,
    values: Values,
    rule: Rule,
    *,
    output: Output | None = None,
    observer: PairObserver | None = None,
) -> tuple[Output, Summary]:
    """Return the output and the summary; an output that is given is kept as it is.

    An observer receives the values of pairs while they are formed.
    """
    dtype, heads = query.dtype, query.shape[1]
    wide = torch.promote_types(dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.to(wide), key.to(wide)
        reader, seen = reader_of(values, heads, wide, observer), Observation(query, key, rule)
        width = reader.width if output is None else 0
        mixed = query.new_zeros(*query.shape[:3], width)
        for part, memory in patterns(query, key, rule):
            read = reader.read(part, memory, mixing=output is None)
            if read.mixed is not None:
                mixed[part.block.by_query] = read.mixed
            seen.add(part, read)
        if output is None:
            output = _finished(values, mixed, seen.row_mass).to(dtype)
        return output, seen.summary(query, key, output)


def _finished(
    values: Values, mixed: Float[Tensor, "batch head query width"], row_mass: Tensor
) -> Output:
    return values.finish(mixed, row_mass) if isinstance(values, CollapsingValues) else mixed
