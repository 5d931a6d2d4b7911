"""How far the next-token distribution of a pass is from that of another, token by token."""

from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.recording.logits import READ_AT_ONCE, Logits
from dva_lens.recording.norms import accurate

PerToken = Float[np.ndarray, "sequence position"]


@final
class LogitChange(NamedTuple):
    """What a change does to the logits at each position, NaN in padding.

    `divergence` is KL(as it is || changed) of the next-token distributions in nats; `largest` is
    the largest change of any logit beside the mean change of all, which no distribution sees.
    """

    divergence: PerToken
    largest: PerToken


def logit_change(
    plain: Logits, changed: Logits, lengths: Int[np.ndarray, "sequence"]
) -> LogitChange:
    """Compare the logits of two passes over the same tokens, a few rows at a time."""
    found = LogitChange(*(np.full(plain.shape[:2], np.nan) for _ in LogitChange._fields))
    few = max(1, READ_AT_ONCE // plain.shape[2])
    for sequence, length in enumerate(lengths.tolist()):
        for start in range(0, length, few):
            rows = slice(start, min(start + few, length))
            pair = (each.rows(sequence, rows.start, rows.stop) for each in (plain, changed))
            for whole, part in zip(found, _compared(*pair), strict=True):
                whole[sequence, rows] = part.cpu().numpy()
    return found


def _compared(
    plain: Float[Tensor, "position channel"], changed: Float[Tensor, "position channel"]
) -> tuple[Float[Tensor, "position"], Float[Tensor, "position"]]:
    ours, theirs = accurate(plain), accurate(changed)
    logs = ours.log_softmax(-1)
    each = logs.exp() * (logs - theirs.log_softmax(-1))
    divergence = each.masked_fill(logs.exp() == 0, 0.0).sum(-1).clamp(min=0.0)
    moved = (theirs - ours).nan_to_num()  # a token that both rule out has the same logit
    return divergence, (moved - moved.mean(-1, keepdim=True)).abs().amax(-1)
