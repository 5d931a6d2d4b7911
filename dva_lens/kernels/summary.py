"""Per-query and per-key numbers of one attention as tensors, on their way to the records."""

from dataclasses import dataclass, fields
from typing import final

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.sites import AttentionSummary

PerQuery = Float[Tensor, "batch head query"]
PER_KEY = ("received", "late_received", "viewers")
IN_ONE_TEXT = ("self_mass", "previous_mass", "distance", "rest_distance")


@final
@dataclass(frozen=True)
class Summary:
    """The fields of `records.AttentionSummary`, on the device and in the dtype they came in.

    A query that sees no key has weights that sum to zero: its entropy, masses and norms are 0,
    and its log-sum-exp is -inf or, where there is a sink, the sink. Weights that heads compose may
    be negative; their entropies are NaN.
    """

    log_sum_exp: PerQuery
    entropy: PerQuery
    square_sum: PerQuery
    largest: PerQuery
    first_mass: PerQuery
    self_mass: PerQuery
    previous_mass: PerQuery
    distance: PerQuery
    row_mass: PerQuery
    absolute_mass: PerQuery
    rest_mass: PerQuery
    rest_entropy: PerQuery
    rest_distance: PerQuery
    value_norm: PerQuery
    output_norm: PerQuery
    received: Float[Tensor, "batch head key"]
    late_received: Float[Tensor, "batch head key"]
    visible: Int[Tensor, "batch query"]
    viewers: Int[Tensor, "batch key"]

    def numpy(
        self, lengths: Int[np.ndarray, "batch"], keys: Int[np.ndarray, "batch"] | None = None
    ) -> AttentionSummary:
        """Hand over to records: NaN, or -1 for integers, at and beyond each length.

        `keys` are the lengths of the text of the keys, where that is another than the queries';
        numbers that compare places in one text are then NaN.
        """
        arrays = {}
        for each in fields(self):
            array = getattr(self, each.name).detach().cpu().numpy()
            ends = lengths if keys is None or each.name not in PER_KEY else keys
            beyond = np.arange(array.shape[-1]) >= np.asarray(ends)[:, None]
            if beyond.any():
                blank = np.array(-1 if array.dtype.kind == "i" else np.nan, array.dtype)
                array = np.where(beyond[:, None] if array.ndim == 3 else beyond, blank, array)
            lost = keys is not None and each.name in IN_ONE_TEXT
            arrays[each.name] = np.full_like(array, np.nan) if lost else array
        return AttentionSummary(**arrays)
