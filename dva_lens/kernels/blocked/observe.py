"""One pass over an attention, block by block, that leaves its output and its summary."""

from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.pair_readers import PairObserver, PairReader
from dva_lens.kernels.blocked.pattern import BlockPattern, look_at_blocks
from dva_lens.kernels.blocked.readers import (
    ExpertGatedReader,
    GatedReader,
    SeparableReader,
    StaticReader,
    ValueReader,
)
from dva_lens.kernels.blocked.relative import RelativeReader
from dva_lens.kernels.blocked.rows import RowNumbers
from dva_lens.kernels.blocked.threads import Action
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


@final
class Observation:
    """The numbers of an attention as its blocks come in."""

    def __init__(self, query: Query, key: Key, rule: Rule) -> None:
        self.rule = rule
        self.rows = RowNumbers(query, key.shape[2], rule)
        self.received = query.new_zeros(*query.shape[:2], key.shape[2])
        self._blocks: list[QueryBlock] = []

    def add(self, part: BlockPattern, reader: ValueReader, mixed: Output) -> Action:
        """Keep what one block says of its queries; the action adds what its keys receive."""
        block = part.block
        if block.heads.start == 0:
            self._blocks.append(block)
        sizes = self.rows.add(part)
        read = reader.read(part, mixing=mixed.shape[-1] > 0)
        if read.mixed is not None:
            mixed[block.by_query] = read.mixed
        sizes.copy_(read.sizes)
        received = part.weights.sum(dim=-2)
        return partial(self.received[block.by_key].add_, received)

    def summary(self, query: Query, key: Key, output: Output) -> Summary:
        """Return everything that was seen."""
        batch, _, keys = self.received.shape
        device, length = self.received.device, query.shape[2]
        visible, viewers = counts(
            self.rule, length, keys=keys, batch=batch, device=device, among=self._blocks
        )
        late = late_received(self.received, query, key, self.rule, visible=visible)
        return Summary(
            **self.rows.finished(),
            output_norm=output.to(self.received.dtype).norm(dim=-1),
            received=self.received,
            late_received=late,
            visible=visible,
            viewers=viewers,
        )


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
        mixed = query.new_zeros(*query.shape[:3], reader.width if output is None else 0)
        look_at_blocks(
            query,
            key,
            rule,
            lambda part: seen.add(part, reader, mixed),
            alone=isinstance(reader, PairReader),
        )
        if output is None:
            output = _finished(values, mixed, seen.rows.row_mass).to(dtype)
        return output, seen.summary(query, key, output)


def _finished(
    values: Values, mixed: Float[Tensor, "batch head query width"], row_mass: Tensor
) -> Output:
    return values.finish(mixed, row_mass) if isinstance(values, CollapsingValues) else mixed
