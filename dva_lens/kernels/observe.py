"""One pass over an attention, block by block, that leaves its output and its summary."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.block_pattern import BlockPattern, patterns
from dva_lens.kernels.pair_readers import PairReader
from dva_lens.kernels.readers import GatedReader, Reader, StaticReader, SummedReader
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import CollapsingValues, QueryGated, Static, Summed, Values
from dva_lens.kernels.visibility import counts
from dva_lens.kernels.weights import Weights

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]

READERS = {Static: StaticReader, QueryGated: GatedReader, Summed: SummedReader}
PER_QUERY = (
    "log_sum_exp", "entropy", "square_sum", "largest", "first_mass", "self_mass",
    "previous_mass", "distance", "row_mass", "value_norm",
)  # fmt: skip


@final
class Observation:
    """The numbers of an attention as its blocks come in."""

    def __init__(self, query: Query, weights: Weights) -> None:
        batch, heads, length, _ = query.shape
        self.weights = weights
        self.rows = {name: query.new_zeros(batch, heads, length) for name in PER_QUERY}
        self.rows["log_sum_exp"] = of_nothing(self.rows["log_sum_exp"], weights)
        self.largest_key = query.new_full((batch, heads, length), -1, dtype=torch.int64)
        self.received = query.new_zeros(batch, heads, length)

    def add(self, part: BlockPattern, value_norm: Tensor, memory: Tensor) -> None:
        """Keep what one block says of its queries, and add what its keys receive."""
        block, pattern = part.block, part.weights
        row_mass = pattern.sum(dim=-1)
        found = {
            "log_sum_exp": part.log_sum_exp,
            "entropy": part.entropy,
            "square_sum": torch.linalg.vector_norm(pattern, dim=-1).square(),
            "largest": part.largest,
            "first_mass": mass(part, to=0),
            "self_mass": mass(part, back=0),
            "previous_mass": mass(part, back=1),
            "distance": self._distance(part, row_mass, memory),
            "row_mass": row_mass,
            "value_norm": value_norm,
        }
        for name, numbers in found.items():
            self.rows[name][block.by_query] = numbers
        self.largest_key[block.by_query] = part.largest_key
        self.received[block.by_key] += pattern.sum(dim=-2)

    def _distance(self, part: BlockPattern, row_mass: Tensor, memory: Tensor) -> Tensor:
        """Return sum_j p_ij (i - j), counted from the block so that no digits cancel."""
        block, pattern = part.block, part.weights
        i = torch.arange(block.queries.start, block.queries.stop, device=pattern.device)
        j = torch.arange(block.keys.start, block.keys.stop, device=pattern.device)
        if self.weights.causal:
            back = (block.queries.stop - 1 - j).to(pattern.dtype)
            far = torch.mv(pattern.view(-1, len(j)), back).view(pattern.shape[:3])
            return far - (block.queries.stop - 1 - i) * row_mass
        apart = (i[:, None] - j).to(pattern.dtype)
        out = memory[: pattern.numel()].view_as(pattern)
        return torch.mul(pattern, apart, out=out).sum(dim=-1)

    def summary(self, output: Output) -> Summary:
        """Return everything that was seen."""
        batch, _, length = self.received.shape
        visible, viewers = counts(self.weights, length, batch=batch, device=self.received.device)
        return Summary(
            **self.rows,
            largest_key=self.largest_key,
            output_norm=output.to(self.received.dtype).norm(dim=-1),
            received=self.received,
            visible=visible,
            viewers=viewers,
        )


def mass(part: BlockPattern, *, to: int | None = None, back: int = 0) -> Tensor:
    """Return the weight of each query on one key, or on the key so many positions back."""
    block, pattern = part.block, part.weights
    if to is not None:
        inside = block.keys.start <= to < block.keys.stop
        return pattern[..., to - block.keys.start] if inside else torch.zeros_like(part.entropy)
    rows = torch.arange(block.queries.start, block.queries.stop, device=pattern.device)
    place = rows - back - block.keys.start
    keys = block.keys.stop - block.keys.start
    index = place.clamp(0, keys - 1)[:, None].expand(*pattern.shape[:3], 1)
    inside = (place >= 0) & (place < keys)
    return pattern.gather(-1, index)[..., 0] * inside


def of_nothing(rows: Tensor, weights: Weights) -> Tensor:
    """Return log-sum-exp of rows that see no key."""
    if weights.normaliser == "sigmoid":
        return torch.full_like(rows, torch.nan)
    if weights.sink is None:
        return torch.full_like(rows, -torch.inf)
    return weights.sink.to(rows.dtype)[:, None].expand_as(rows).clone()


def reader_of(values: Values, heads: int, dtype: torch.dtype) -> Reader:
    """Return the reader of a value form."""
    if isinstance(values, CollapsingValues):
        return READERS[type(values)](values, heads, dtype)
    return PairReader(values, heads, dtype)


@torch.no_grad()
def observe(
    query: Query, key: Key, values: Values, weights: Weights, *, output: Output | None = None
) -> tuple[Output, Summary]:
    """Return the output and the summary; an output that is given is kept as it is."""
    dtype, heads = query.dtype, query.shape[1]
    wide = torch.promote_types(dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.to(wide), key.to(wide)
        reader, seen = reader_of(values, heads, wide), Observation(query, weights)
        mixed = None if output is not None else query.new_zeros(*query.shape[:3], reader.width)
        for part, memory in patterns(query, key, weights):
            out, norms = reader.read(part, memory, mixing=mixed is not None)
            if mixed is not None:
                mixed[part.block.by_query] = out
            seen.add(part, norms, memory)
        if mixed is not None:
            output = _finished(values, mixed, seen.rows["row_mass"]).to(dtype)
        return output, seen.summary(output)


def _finished(values: Values, mixed: Output, row_mass: Tensor) -> Output:
    return values.finish(mixed, row_mass) if isinstance(values, CollapsingValues) else mixed
