"""Per-query and per-key numbers of one attention as tensors, and how parts of them merge.

Two summaries merge when they share one normaliser: numbers of a query add over parts of the keys
and stand side by side over blocks of queries; numbers of a key do the reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.records import AttentionSummary

PerQuery = Float[Tensor, "batch head query"]
PER_KEY = ("received", "viewers")
LARGEST = ("largest", "largest_key")


@final
@dataclass(frozen=True)
class Summary:
    """The fields of `records.AttentionSummary`, on the device and in the dtype they came in.

    A query that sees no key has weights that sum to zero: its entropy, masses and norms are 0,
    its largest key is -1, and its log-sum-exp is -inf or, where there is a sink, the sink.
    """

    log_sum_exp: PerQuery
    entropy: PerQuery
    square_sum: PerQuery
    largest: PerQuery
    largest_key: Int[Tensor, "batch head query"]
    first_mass: PerQuery
    self_mass: PerQuery
    previous_mass: PerQuery
    distance: PerQuery
    row_mass: PerQuery
    value_norm: PerQuery
    output_norm: PerQuery
    received: Float[Tensor, "batch head key"]
    visible: Int[Tensor, "batch query"]
    viewers: Int[Tensor, "batch key"]

    def numpy(self, lengths: Int[np.ndarray, "batch"]) -> AttentionSummary:
        """Hand over to records: NaN, or -1 for integers, at and beyond each length."""
        arrays = {}
        for name, tensor in self._tensors().items():
            array = tensor.detach().cpu().numpy()
            beyond = np.arange(array.shape[-1]) >= np.asarray(lengths)[:, None]
            blank = -1 if array.dtype.kind == "i" else np.nan
            per_head = beyond[:, None, :] if array.ndim == 3 else beyond
            arrays[name] = np.where(per_head, np.array(blank, array.dtype), array)
        return AttentionSummary(**arrays)

    def _tensors(self) -> dict[str, Tensor]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def merge_queries(blocks: Sequence[Summary]) -> Summary:
    """Join the summaries of consecutive blocks of queries over the same keys."""
    parts = [block._tensors() for block in blocks]
    merged = {
        name: sum(part[name] for part in parts[1:]) + parts[0][name]
        if name in PER_KEY
        else torch.cat([part[name] for part in parts], dim=-1)
        for name in parts[0]
    }
    return Summary(**merged)
