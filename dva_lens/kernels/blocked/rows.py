"""The numbers of queries: a few read from every block, and what follows from them at the end.

Blocks are many and small, so that whatever can be worked out of a few numbers per query is left
until all of them are there. What concerns key 0 is kept apart and added last, never taken off:
nothing of the rest might be left.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, pad

from dva_lens.kernels.blocked.pattern import BlockPattern, OfBlock, Rows
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.rule import Rule

Query = Float[Tensor, "batch head query width"]
PerQuery = Float[Tensor, "batch head query"]

SEEN = (
    "log_sum_exp", "share", "largest", "first", "rest", "first_energy", "rest_energy",
    "rest_offset", "norm", "self", "previous", "sizes",
)  # fmt: skip


@final
class RowNumbers:
    """What blocks say of their queries.

    Per query: log-sum-exp, share and largest weight as in `BlockPattern`; the weight of the first
    key and the sum of the rest, and the same for weights times scores (under sigmoid: times log
    weights); the place of the rest, counted from the last query of the block; the norm of the
    weights; the weights on the query itself and on the key before; and the sizes that were mixed.
    Weights that heads compose may be negative: they have no entropy, and their absolute values
    are added up too.
    """

    def __init__(self, query: Query, keys: int, rule: Rule) -> None:
        self.rule = rule
        self._nothing = _of_nothing(query, rule)
        self._seen = query.new_zeros(len(SEEN), *query.shape[:3])
        self._absolute = None if rule.after is None else query.new_zeros(query.shape[:3])
        self._last = query.new_zeros(query.shape[2])
        places = torch.arange(max(query.shape[2], keys), device=query.device)
        self._positions = places.to(query.dtype)

    def add(self, part: BlockPattern) -> Tensor:
        """Keep what a block says of its queries; its scores are overwritten.

        Returns where the sizes of the values belong.
        """
        block, weights, scores = part.block, part.weights, part.scores
        places = block.rest_from_last(self._positions)
        offset = torch.mv(weights.view(-1, weights.shape[-1]), places).view(part.largest.shape)
        logits = self.rule.normaliser == "sigmoid" and self.rule.fade is None
        logarithms = logsigmoid(scores) if logits else scores
        energy = torch.mul(logarithms, weights, out=scores)
        seen = [
            *(part.log_sum_exp, part.share, part.largest),
            *_parted(weights, block),
            *_parted(energy, block),
            offset,
            torch.linalg.vector_norm(weights, dim=-1),
            _diagonal(part, back=0),
            _diagonal(part, back=1),
        ]
        kept = self._seen[(slice(None), *block.by_query)]
        kept[:-1] = torch.stack(seen)
        if self._absolute is not None:
            self._absolute[block.by_query] = weights.abs().sum(dim=-1)
        if block.heads.start == 0:
            self._last[block.queries] = block.queries.stop - 1
        return kept[-1]

    @property
    def row_mass(self) -> PerQuery:
        """Return what the weights of each query sum to."""
        return self._seen[SEEN.index("rest")] + self._seen[SEEN.index("first")]

    def finished(self) -> dict[str, PerQuery]:
        """Return the fields of the summary that are per query, by name."""
        seen = dict(zip(SEEN, self._seen.unbind(), strict=True))
        first, rest, share = seen["first"], seen["rest"], seen["share"]
        rest_entropy = -seen["rest_energy"]
        entropy = rest_entropy - seen["first_energy"]
        log_sum = seen["log_sum_exp"]
        if self.rule.normaliser == "softmax":
            entropy += share * log_sum
            rest_entropy += rest * log_sum
        if self._absolute is not None:
            entropy, rest_entropy = (torch.full_like(first, torch.nan) for _ in range(2))
        places = self._positions[: len(self._last)]
        rest_distance = (places - self._last) * rest - seen["rest_offset"]
        return {
            "log_sum_exp": torch.where(share > 0, log_sum, self._nothing),
            "entropy": entropy,
            "square_sum": seen["norm"].square(),
            "largest": seen["largest"],
            "first_mass": first,
            "self_mass": seen["self"],
            "previous_mass": seen["previous"],
            "distance": rest_distance + first * places,
            "row_mass": self.row_mass,
            "absolute_mass": self.row_mass if self._absolute is None else self._absolute,
            "value_norm": seen["sizes"],
            "rest_mass": rest,
            "rest_entropy": rest_entropy,
            "rest_distance": rest_distance,
        }


def _parted(entries: OfBlock, block: QueryBlock) -> tuple[Rows, Rows]:
    """Return what belongs to key 0, and the sum of the others."""
    if block.holds_first:
        return entries[..., 0], entries[..., 1:].sum(dim=-1)
    total = entries.sum(dim=-1)
    return torch.zeros_like(total), total


def _diagonal(part: BlockPattern, *, back: int) -> Rows:
    """Return the weight of each query on the key so many positions back; 0 where none is."""
    block, rows = part.block, part.weights.shape[-2]
    offset = block.queries.start - back - block.keys.start
    found = part.weights.diagonal(offset=offset, dim1=-2, dim2=-1)
    if found.shape[-1] == rows:
        return found
    before = min(rows, max(0, -offset))
    return pad(found, (before, rows - before - found.shape[-1]))


def _of_nothing(query: Query, rule: Rule) -> Tensor:
    """Return log-sum-exp of rows that see no key."""
    if rule.normaliser != "softmax":
        return query.new_tensor(torch.nan)
    if rule.sink is None:
        return query.new_tensor(-torch.inf)
    return rule.sink.to(query.dtype)[:, None]
