"""A forward pass with one thing changed, beside passes with a control changed by as much."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from dva_lens.diagnostics.interventions.change import Change, Edit, Output, PassRows
from dva_lens.diagnostics.interventions.changes import ChangeSetting, changes_of, controls_of
from dva_lens.diagnostics.interventions.document import AS_IS
from dva_lens.diagnostics.interventions.effects import (
    CONTROL,
    INTERVENTION,
    effects,
    statistics_effects,
)
from dva_lens.diagnostics.interventions.passes import ChangedModel, Progress
from dva_lens.diagnostics.interventions.sink_removal import masses
from dva_lens.diagnostics.interventions.value_changes import (
    FIRST,
    InAnotherOrder,
    OfAnotherText,
    operands_of,
    partners_of,
)
from dva_lens.diagnostics.interventions.value_paths import ValuePaths, value_paths
from dva_lens.diagnostics.interventions.values import (
    Intervention,
    RemoveSink,
    SwapFirstValues,
    SwapValues,
)
from dva_lens.diagnostics.running import check_editable, watching
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.recording.recorder import AttentionCall
from dva_lens.sites import SUMMARY, Site
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.statistic import Statistic
from dva_lens.statistics.table import PRIMARY, statistic

DRAWS = 4


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
    statistics: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Change one thing in a model, and say what that does to it beside a matched control.

    The model runs over the text as it is, with the intervention, and with `draws` controls, which
    change as much and spare what the intervention aims at. Losses and logits are paired by token,
    statistics by sequence. The model is as before when this returns.

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

    statistics : names, optional
        Which statistics to follow through the model; default: the primary set, none for ().
    progress : callable, optional
        Called after each batch with how many sequences are done, and how many there are.

    Returns
    -------
    xarray.Dataset
        By token, over changed, sequence and position: `loss_change` in nats; `divergence_change`,
        the KL divergence of the next-token distribution from the one as it is, in nats; and
        `logits_change`, the largest change of a logit. `effect` over quantity (loss, divergence,
        logits) and changed is their mean over tokens, with `effect_low` and `effect_high`, the
        bounds of its 95 % interval over documents. Every statistic by layer and head as it is,
        and as `NAME_change` over changed and bound (mean, low, high). "difference" of `changed`
        is intervention minus control. Statistics of the changed layer are of its attention
        before its output is changed; what follows from the change shows in later layers.
        Attributes name the intervention and its control and, where weight was taken away, the
        mean mass per query that each took, and the share of the mass on the key that was covered.

    Raises
    ------
    TypeError
        The model has no loss, its attention cannot be edited, or the layer has nothing of the
        kind that the intervention changes.
    ValueError
        There is no such layer, head or key, no other text to swap with, or fewer than one draw.
    KeyError
        A statistic is unknown.
    ArithmeticError
        A control took another mass than the intervention, by more than a twentieth.

    Examples
    --------
    >>> from dva_lens import interventions, load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> sink = interventions.RemoveSink(layer=1, head=0)
    >>> found = intervene(model, "To be, or not to be, that is it.", sink)
    >>> found["effect"].dims
    ('quantity', 'changed')
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}.")
    chosen = _followed(statistics)
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    check_editable(found.adapter)
    _check_texts(found, intervention)
    random = torch.Generator().manual_seed(seed)
    with watching(found, _sites(chosen)) as run, value_paths(found.adapter.model) as paths:
        run.recorder.reader = StatisticReader.of(chosen)
        changed = ChangedModel(run, paths, chosen)
        parts = changed.parts()
        layers = parts.targets(intervention)
        moved = _moved(intervention, layers, changed, random)
        setting = ChangeSetting(layers, parts.heads, paths, moved)
        changes = changes_of(intervention, setting)
        controls = [controls_of(intervention, setting, random) for _ in range(draws)]
        drawn = {f"{CONTROL} {draw}": control for draw, control in enumerate(controls)}
        passes = {AS_IS: (), INTERVENTION: changes, **drawn}
        plain, ours, *theirs = changed.outcomes(passes, progress).values()
    result = effects(found, plain, ours, theirs)
    if chosen:
        by_name = {AS_IS: [plain], INTERVENTION: [ours], CONTROL: theirs}
        result = result.merge(statistics_effects(found, chosen, by_name))
    return result.assign_attrs(
        model=found.adapter.name,
        intervention=json.dumps(intervention.to_dict()),
        control=intervention.control,
        layers=list(layers),
        mean_loss=float(np.nanmean(result["loss"])),
        draws=draws,
        seed=seed,
        **masses(changes, controls, int(found.sequences.lengths.sum())),
    )


def _followed(statistics: Sequence[str] | None) -> tuple[Statistic, ...]:
    """Return the statistics to follow; loss is there anyway, token by token."""
    names = PRIMARY if statistics is None else statistics
    return tuple(statistic(name) for name in names if name != "loss")


def _sites(statistics: Sequence[Statistic]) -> tuple[Site[object], ...]:
    needed = {site.name: site for each in statistics for site in each.needs}
    return tuple({SUMMARY.name: SUMMARY, **needed}.values())


def _check_texts(found: Prepared, what: Intervention) -> None:
    """Refuse texts that an intervention cannot be carried out on."""
    longest = int(found.sequences.lengths.max())
    if isinstance(what, RemoveSink) and what.key >= longest:
        raise ValueError(
            f"key must be below {longest}, the tokens of the longest sequence, got {what.key}."
        )


def _moved(
    what: Intervention, layers: Sequence[int], changed: ChangedModel, random: torch.Generator
) -> dict[int, OfAnotherText | InAnotherOrder]:
    """Return what every layer is given from elsewhere; other texts are listened to first."""
    sequences = changed.run.found.sequences
    if isinstance(what, SwapFirstValues) and what.by == "position":
        orders = [torch.randperm(int(n), generator=random) for n in sequences.lengths]
        return dict.fromkeys(layers, InAnotherOrder(orders))
    if not isinstance(what, SwapFirstValues | SwapValues):
        return {}
    partners = partners_of(sequences.documents)
    found = {layer: OfAnotherText(partners) for layer in layers}
    listening = [
        Change(layer, _keeping(what, layer, each, changed.paths)) for layer, each in found.items()
    ]
    changed.listen(listening)
    return dict(found)


def _keeping(
    what: SwapFirstValues | SwapValues, layer: int, store: OfAnotherText, paths: ValuePaths
) -> Edit:
    """Return what keeps the parts that are to be swapped, and changes nothing."""

    def edit(call: AttentionCall, out: Output, rows: PassRows) -> Output:
        if isinstance(what, SwapValues):
            store.keep(operands_of(call.values, what.part), rows)
        else:
            store.keep({FIRST: paths.summands(layer)[FIRST]}, rows)
        return out

    return edit
