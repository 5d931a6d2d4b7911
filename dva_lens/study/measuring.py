"""Measure a run of a study from its checkpoints: everything, or only what has changed."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
import xarray as xr

from dva_lens import axes
from dva_lens.data.evaluation import EvaluationText
from dva_lens.measuring import measure
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.results.schema import BY_QUERY, REFERENCE, statistics_of
from dva_lens.statistics.table import PRIMARY, STATISTICS
from dva_lens.study.checkpoints import step_folder
from dva_lens.study.definition import HELD_OUT, Plan, Study
from dva_lens.study.keys import measure_key
from dva_lens.study.texts import Texts


def measured(
    study: Study,
    plan: Plan,
    texts: Texts,
    *,
    models: Path,
    wanted: Mapping[str, tuple[str, ...]],
    device: torch.device,
) -> dict[str, xr.Dataset]:
    """Measure the models of a run on each wanted probe, with the statistics wanted there."""
    parts: dict[str, dict[int, xr.Dataset]] = {name: {} for name in wanted}
    for step in plan.recipe.measure_steps:
        model = load_checkpoint(step_folder(models, step, plan)).model.to(device)
        for name, statistics in wanted.items():
            shown = name == HELD_OUT and step == plan.recipe.steps
            parts[name][step] = measure(
                model,
                texts.probes[name],
                tokenizer=texts.tokenizer,
                statistics=statistics,
                keep="query" if shown else None,
                backend=study.backend,
            )
    return {
        name: _named(stacked(steps), study, plan, texts.probes[name])
        for name, steps in parts.items()
    }


def stacked(steps: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Join measurements of one model at several steps; what does not change is kept once."""
    ordered = sorted(steps)
    last = steps[ordered[-1]]
    names = list(statistics_of(last))
    over_steps = xr.concat(
        [steps[step][names] for step in ordered],
        dim=axes.STEP,
        combine_attrs="override",
        coords="minimal",
        compat="override",
        join="exact",
    )
    joined = last.assign({name: over_steps[name] for name in names})
    return joined.assign_coords({axes.STEP: ordered})


def outdated(
    measurements: Mapping[str, xr.Dataset], study: Study, plan: Plan, texts: Texts
) -> dict[str, tuple[str, ...]]:
    """Return, for each probe of the study, the statistics that must be measured (again).

    A measurement of other tokens, steps or backend counts for nothing; in one that is the same,
    only statistics that are new or of another version are outdated.
    """
    wanted = {}
    for name in study.probes:
        found = measurements.get(name)
        key = _key(study, plan, texts.probes[name])
        if found is None or found.attrs.get("measure_key") != key:
            wanted[name] = PRIMARY
            continue
        versions = {held: found[held].attrs.get("version") for held in statistics_of(found)}
        stale = [one for one in PRIMARY if versions.get(one) != STATISTICS[one].version]
        if stale:
            wanted[name] = tuple(stale)
    return wanted


def updated(before: xr.Dataset | None, now: xr.Dataset) -> xr.Dataset:
    """Return a measurement with the statistics measured now in place of the former ones."""
    if before is None or before.attrs.get("measure_key") != now.attrs["measure_key"]:
        return now
    former = [
        name
        for name in before.data_vars
        for one in statistics_of(now)
        if name in (one, one + REFERENCE, one + BY_QUERY)
    ]
    kept = before.drop_vars(former).load()
    fresh = [name for name in now.data_vars if name not in kept]
    return kept.assign({name: now[name] for name in fresh})


def _named(data: xr.Dataset, study: Study, plan: Plan, probe: EvaluationText) -> xr.Dataset:
    attrs = {
        "model": plan.preset,
        "preset": plan.preset,
        "seed": plan.seed,
        "label": plan.label,
        "text": probe.name,
        "train_key": plan.key,
        "measure_key": _key(study, plan, probe),
    }
    return data.assign_attrs(attrs)


def _key(study: Study, plan: Plan, probe: EvaluationText) -> str:
    return measure_key(
        plan.key,
        plan.recipe.measure_steps,
        tokens=_hash((probe.tokens.tobytes(), probe.lengths.tobytes())),
        length=int(probe.tokens.shape[1]),
        backend=study.backend,
    )


def _hash(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()
