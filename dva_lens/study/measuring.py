"""Measure a run of a study from its checkpoints: everything, or only what has changed."""

from collections.abc import Mapping
from pathlib import Path

import torch
import xarray as xr

from dva_lens import axes
from dva_lens.measuring import measure
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.results.schema import BY_QUERY, EDGES, KEY_VALUES, REFERENCE, beside, statistics_of
from dva_lens.statistics.table import STATISTICS
from dva_lens.study.checkpoints import step_folder
from dva_lens.study.job import Job

EDGE_BUDGET = 2 << 20
"""Bytes for the edges of each run of a study, unless something else is asked for."""
Wanted = Mapping[str, tuple[str, ...]]
"""The statistics to measure on each evaluation text."""


def measured(
    job: Job, wanted: Wanted, *, models: Path, device: torch.device, edges: int = EDGE_BUDGET
) -> dict[str, xr.Dataset]:
    """Measure the models of a run on each wanted text, with the statistics wanted there.

    `edges` are the bytes that the largest edges of the trained model may take on the main text.
    """
    parts: dict[str, dict[int, xr.Dataset]] = {name: {} for name in wanted}
    for step in job.run.recipe.measure_steps:
        model = load_checkpoint(step_folder(models, step, job.run)).model.to(device)
        for name, statistics in wanted.items():
            shown = name == job.texts.main and step == job.run.recipe.steps
            parts[name][step] = measure(
                model,
                job.texts.evaluation[name],
                tokenizer=job.texts.tokenizer,
                statistics=statistics,
                keep="query" if shown else None,
                edges=edges,
                backend=job.study.backend,
            )
    return {name: _named(stacked(steps), job, name) for name, steps in parts.items()}


def stacked(steps: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """Join measurements of one model at several steps; what does not change is kept once."""
    ordered = sorted(steps)
    last = steps[ordered[-1]]
    names = list(statistics_of(last))
    names += beside(last, *names)
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


def outdated(job: Job, measurements: Mapping[str, xr.Dataset]) -> Wanted:
    """Return, for each text of the study, the statistics that must be measured (again).

    A measurement of other tokens, steps or backend counts for nothing; in one that is the same,
    only statistics that are new or of another version are outdated.
    """
    wanted = {}
    for name in job.texts.evaluation:
        found = measurements.get(name)
        if found is None or found.attrs.get("measure_key") != job.measure_key(name):
            wanted[name] = job.statistics
            continue
        versions = {held: found[held].attrs.get("version") for held in statistics_of(found)}
        stale = [one for one in job.statistics if versions.get(one) != STATISTICS[one].version]
        if stale:
            wanted[name] = tuple(stale)
    return wanted


def updated(before: xr.Dataset | None, now: xr.Dataset) -> xr.Dataset:
    """Return a measurement with the statistics measured now in place of the former ones."""
    if before is None or before.attrs.get("measure_key") != now.attrs["measure_key"]:
        return now
    former = [name for name in (*EDGES, *KEY_VALUES) if name in now]
    former += [
        name
        for name in before.data_vars
        for one in statistics_of(now)
        if name in (one, one + REFERENCE, one + BY_QUERY, *beside(before, one))
    ]
    kept = before.drop_vars(former, errors="ignore").load()  # edges may be new
    fresh = [name for name in now.data_vars if name not in kept]
    return kept.assign({name: now[name] for name in fresh})


def _named(data: xr.Dataset, job: Job, text: str) -> xr.Dataset:
    keys = {"train_key": job.run.key, "measure_key": job.measure_key(text)}
    return data.assign_attrs({**job.about, "text": text, **keys})
