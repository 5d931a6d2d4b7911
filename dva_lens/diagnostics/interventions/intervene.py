"""A forward pass with one thing changed, beside passes with a control changed by as much."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from dva_lens import axes
from dva_lens.diagnostics.interventions.changes import (
    Change,
    SinkRemoval,
    change_of,
    control_of,
)
from dva_lens.diagnostics.interventions.document import CHANGED
from dva_lens.diagnostics.interventions.values import Intervention
from dva_lens.diagnostics.running import WatchedModel, check_editable, watching
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.recording.recorder import AttentionCall
from dva_lens.statistics.inference.text_interval import ratio, sums

DRAWS = 4
Losses = Float[np.ndarray, "sequence position"]


def intervene(  # noqa: PLR0913  (a public function: every choice has a name and a default)
    model: Any,
    text_or_tokens: Any,
    intervention: Intervention,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Change one thing in a model, and say what that does to the loss beside a matched control.

    The model runs over the text as it is, with the intervention, and with `draws` controls, which
    change as much and spare what the intervention aims at. Losses are paired by token. The model
    is as before when this returns.

    Parameters
    ----------
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.
    intervention : Intervention
        What to change, such as `lens.interventions.RemoveSink(layer=2, head=1)`; the table of
        all is `lens.interventions.INTERVENTIONS`.
    draws : int
        Number of controls, whose mean is the control.
    seed : int
        Decides what is drawn.

    Returns
    -------
    xarray.Dataset
        `loss` over sequence and position in nats; `loss_change` over what was changed, sequence
        and position; `effect`, its mean over tokens, with `effect_low` and `effect_high`, the
        bounds of its 95 % interval over documents. `difference` is intervention minus control.
        Attributes name the intervention and its control and, where weight was taken away, the
        mean mass per query that each took, and the share of the mass on the key that was covered.

    Raises
    ------
    TypeError
        The model has no loss, its attention cannot be edited, or the layer has nothing of the
        kind that the intervention changes.
    ValueError
        There is no such layer or head, or fewer than one draw.

    Examples
    --------
    >>> from dva_lens import interventions, load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> sink = interventions.RemoveSink(layer=1, head=0)
    >>> found = intervene(model, "To be, or not to be, that is it.", sink)
    >>> found["effect"].dims
    ('changed',)
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}.")
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    check_editable(found.adapter)
    if intervention.layer >= found.adapter.depth:
        raise ValueError(
            f"layer must be below {found.adapter.depth}, the layers of {found.adapter.name}, got "
            f"{intervention.layer}."
        )
    with watching(found) as run:
        changed = ChangedModel(run)
        plain, heads = changed.plain()
        random = torch.Generator().manual_seed(seed)
        change = change_of(intervention)
        controls = [control_of(intervention, heads, random) for _ in range(draws)]
        moved = changed.losses(change) - plain
        beside = np.mean([changed.losses(control) for control in controls], axis=0) - plain
    masses = _masses(found, change, controls)
    return _labelled(found, plain, np.stack([moved, beside, moved - beside])).assign_attrs(
        model=found.adapter.name,
        intervention=json.dumps(intervention.to_dict()),
        control=intervention.control,
        mean_loss=float(np.nanmean(plain)),
        draws=draws,
        seed=seed,
        **masses,
    )


@final
@dataclass(frozen=True)
class ChangedModel:
    """A watched model whose attention is handed to a change."""

    run: WatchedModel

    def plain(self) -> tuple[Losses, list[int]]:
        """Return the losses as they are, and the number of heads of every layer."""
        heads = [0] * self.run.found.adapter.depth

        def count(layer: int, attended: Tensor) -> Tensor:
            heads[layer] = attended.shape[1]
            return attended

        return self.run.losses(count), heads

    def losses(self, change: Change) -> Losses:
        """Return the losses with a change."""
        calls: dict[int, AttentionCall] = {}
        recorder = self.run.recorder

        def edit(layer: int, attended: Tensor) -> Tensor:
            if layer != change.layer:
                return attended
            if layer not in calls:
                raise TypeError(
                    f"Layer {layer} of {self.run.found.adapter.name} hands over a pattern and not "
                    f"its queries and keys; pass the model that is wrapped."
                )
            lengths = torch.as_tensor(recorder.lengths)
            return change.edit(calls.pop(layer), attended, lengths)

        def listen(layer: int, call: AttentionCall) -> None:
            if layer == change.layer:
                calls[layer] = call

        recorder.listener = listen
        try:
            return self.run.losses(edit)
        finally:
            recorder.listener = None


def _masses(found: Prepared, change: Change, controls: Sequence[Change]) -> dict[str, float]:
    """Return the mean mass per query that was taken, and how much of the asked mass it was."""
    if not isinstance(change.edit, SinkRemoval):
        return {}
    mass = change.edit.mass
    taken = [each.edit.mass for each in controls if isinstance(each.edit, SinkRemoval)]
    queries = float(found.sequences.lengths.sum())
    return {
        "mass_removed": mass.removed / queries,
        "mass_removed_by_control": float(np.mean([each.removed for each in taken])) / queries,
        "mass_covered": mass.removed / mass.asked if mass.asked > 0 else float("nan"),
    }


def _labelled(
    found: Prepared, plain: Losses, changes: Float[np.ndarray, "changed sequence position"]
) -> xr.Dataset:
    held = np.isfinite(plain)
    total, _ = sums(np.moveaxis(np.nansum(changes, axis=-1), 0, -1))
    count = np.broadcast_to(held.sum(-1, dtype=np.float64)[:, None], total.shape)
    interval = ratio(total, count, found.sequences.documents)
    nat, where = {"units": "nat"}, ("changed", axes.SEQUENCE, "position")
    words = np.full(plain.shape, "", dtype=object)
    for row in range(len(words)):
        own = found.words(row)
        words[row, : len(own)] = own
    return xr.Dataset(
        {
            "token": (where[1:], words, {"meaning": "the text, token by token"}),
            "loss": (where[1:], plain, nat | {"meaning": "loss of predicting the next token"}),
            "loss_change": (where, changes, nat | {"meaning": "loss minus the loss as it is"}),
            "effect": ("changed", interval.mean, nat | {"note": interval.note}),
            "effect_low": ("changed", interval.low, nat),
            "effect_high": ("changed", interval.high, nat),
        },
        coords={**found.coordinates, "changed": list(CHANGED)},
    )
