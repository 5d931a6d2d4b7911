"""Taking weight from one key of a head, or the same from other keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch

from dva_lens.diagnostics.interventions.change import Change, Output, PassRows
from dva_lens.diagnostics.interventions.head_rows import HeadRows, Weights, head_rows
from dva_lens.diagnostics.interventions.values import RemoveSink
from dva_lens.recording.recorder import AttentionCall

MOST_APART = 0.05


@final
@dataclass
class RemovedMass:
    """How much weight was taken from keys, and how much of it there was to take."""

    removed: float = 0.0
    asked: float = 0.0


@final
@dataclass(frozen=True)
class SinkRemoval:
    """Takes weight from one key, or with a generator the same from others; counts what it took.

    The output becomes o_i - sum_j d_ij v_ij, where d_ij is the weight taken from key j.
    """

    what: RemoveSink
    random: torch.Generator | None = None
    mass: RemovedMass = field(default_factory=RemovedMass)

    def __call__(self, call: AttentionCall, out: Output, rows: PassRows) -> Output:
        """Return the output without what was removed."""
        changed, head = out.clone(), self.what.head
        divided = self.what.by == "mask" and call.weights.normaliser == "softmax"
        for some in head_rows(call, head, rows.lengths):
            taken = self._taken(some)
            total = taken.sum(-1)
            self.mass.removed += float(total.sum(dtype=torch.float64))
            lost = some.mixed(taken)
            left = out[some.sequence, head, some.queries].to(lost.dtype) - lost
            if divided:
                left = left / (1.0 - total)[:, None]
            touched = total > 0
            place = some.queries[touched]
            changed[some.sequence, head, place] = left[touched].to(out.dtype)
        return changed

    def _taken(self, rows: HeadRows) -> Weights:
        """Return what is taken from every key; nothing where the others hold less than it."""
        weights, key = rows.weights, self.what.key
        taken = torch.zeros_like(weights)
        if key >= weights.shape[1]:
            return taken
        wanted = self.what.share * weights[:, key]
        self.mass.asked += float(wanted.sum(dtype=torch.float64))
        others = weights.clone()
        others[:, key] = 0.0
        wanted = torch.where(others.sum(-1) > wanted, wanted, torch.zeros_like(wanted))
        if self.random is None:
            taken[:, key] = wanted
            return taken
        order = torch.rand(weights.shape, generator=self.random).to(weights.device)
        order = order.masked_fill(~rows.seen, 2.0)
        order[:, key] = 3.0
        order = order.argsort(-1)
        held = others.gather(-1, order)
        before = held.cumsum(-1) - held
        found = (wanted[:, None] - before).clamp(min=0.0).minimum(held)
        return taken.scatter(-1, order, found)


def masses(
    changes: Sequence[Change], controls: Sequence[Sequence[Change]], queries: int
) -> dict[str, float]:
    """Return the mean mass per query that was taken, and how much of the asked mass it was.

    Nothing where no weight is taken away.

    Raises
    ------
    ArithmeticError
        The controls took another mass than the intervention, by more than a twentieth.
    """
    mass = next((one.edit.mass for one in changes if isinstance(one.edit, SinkRemoval)), None)
    if mass is None:
        return {}
    taken = [e.edit.mass for c in controls for e in c if isinstance(e.edit, SinkRemoval)]
    beside = float(np.mean([each.removed for each in taken]))
    if abs(beside - mass.removed) > MOST_APART * mass.removed:
        raise ArithmeticError(
            f"The control must take the mass that the intervention takes, within "
            f"{MOST_APART:.0%}: it took {beside / queries:.4g} per query instead of "
            f"{mass.removed / queries:.4g}; run the model in float32, where weights are exact."
        )
    return {
        "mass_removed": mass.removed / queries,
        "mass_removed_by_control": beside / queries,
        "mass_covered": mass.removed / mass.asked if mass.asked > 0 else float("nan"),
    }
