"""What `compare` compares: a statistic of every model by layer, at equal step or at equal loss."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from dva_lens.results.archive import Archive, Run
    from dva_lens.statistics.statistic import Statistic

STEP, LOSS, SPAN = "step", "loss", "span"


@final
class Moment(StrEnum):
    """When trainings are compared.

    Equal step and equal loss each favour somebody, so there are both; the start is the control
    of random initialisation.
    """

    STEP = "step"
    LOSS = "loss"
    START = "start"


def moment_of(archive: "Archive", moment: Moment, probe: str | None) -> float | None:
    """Return the last or first step at which all were measured, or the lowest loss all reach.

    None where some were measured once: there is nothing to choose, and each is taken as it is.
    """
    from dva_lens.statistics.inference.fairness import common_loss, common_step

    several = [archive.dataset(run, probe) for run in archive.runs]
    if not all(STEP in data.dims for data in several):
        if moment != Moment.STEP:
            raise ValueError(
                f"Some models of {archive.folder} were measured once and not as they were "
                f"trained, so they cannot be compared at equal loss or at the start."
            )
        return None
    steps = [data[STEP].values for data in several]
    if moment == Moment.START:
        return float(max(each.min() for each in steps))
    if moment == Moment.STEP:
        return float(common_step(steps))
    return common_loss([_losses(data, archive) for data in several])


def words_for(moment: Moment, value: float | None) -> str:
    """Return when models are compared, in words."""
    if value is None:
        return "as they are"
    return f"at loss {value:.4f}" if moment == Moment.LOSS else f"at step {value:.0f}"


def profiles(
    archive: "Archive",
    statistic: str,
    *,
    baseline: str,
    probe: str | None,
    moment: Moment = Moment.STEP,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a statistic over (seed, sequence, layer) for every preset, and the documents."""
    presets = dict.fromkeys(run.preset for run in archive.runs)
    if baseline not in presets:
        raise ValueError(
            f"No model {baseline!r} in {archive.folder}; it has: {', '.join(presets)}."
        )
    value = moment_of(archive, moment, probe)
    held: dict[str, list[np.ndarray]] = {preset: [] for preset in presets}
    documents: list[str] | None = None
    for run in archive.runs:
        data = archive.dataset(run, probe)
        texts = [str(name) for name in data["document"].values]
        if documents is not None and texts != documents:
            raise ValueError(
                f"{run.label} was measured on other texts than {archive.runs[0].label}; compare "
                f"models of one study."
            )
        documents = texts
        held[run.preset].append(_profile(data, run, statistic, moment, value))
    return {preset: np.stack(values) for preset, values in held.items()}, documents or []


def _profile(
    data: "xr.Dataset", run: "Run", statistic: str, moment: Moment, value: float | None
) -> np.ndarray:
    """Return a statistic of a run over (sequence, layer) at the moment that all share."""
    from dva_lens.statistics.inference.compare import layer_profile
    from dva_lens.statistics.inference.fairness import at_loss, at_step

    found = entry_of(data, run, statistic)
    rows = data["rows"].values if SPAN in found.dims else None
    if value is None:
        last = found.isel({STEP: -1}) if STEP in found.dims else found
        return layer_profile(last.values, rows)
    if moment != Moment.LOSS:
        chosen = at_step(found.values, data[STEP].values, int(value))
        return layer_profile(chosen, rows)
    over_steps = np.stack([layer_profile(each, rows) for each in found.values])
    return at_loss(over_steps, _mean_loss(data), value)


def entry_of(data: "xr.Dataset", run: "Run", statistic: str) -> "xr.DataArray":
    """Return a statistic of layers, at the entries that its name goes on with.

    `sink_rate:0.3` is the statistic `sink_rate` at the threshold 0.3; a statistic over several
    further dimensions takes one entry of each, in their order.
    """
    from dva_lens.statistics.table import statistic as find

    name, *entries = statistic.split(":")
    entry = find(name)
    if name not in data or data[name].attrs["at"] == "model":
        raise ValueError(f"{run.label} holds no {name!r} of its layers; choose another statistic.")
    if len(entries) != len(entry.extra):
        raise ValueError(_ask(entry, entries))
    found = data[name]
    for (dimension, labels), wanted in zip(entry.extra.items(), entries, strict=True):
        label = next((each for each in labels if str(each) == wanted), None)
        if label is None:
            raise ValueError(_ask(entry, entries))
        found = found.sel({dimension: label})
    return found


def _ask(entry: "Statistic", entries: Sequence[str]) -> str:
    if not entry.extra:
        return f"{entry.name} has no further entries, got {':'.join(entries)!r}."
    choices = "; ".join(
        f"{dimension} is one of {', '.join(map(str, labels))}"
        for dimension, labels in entry.extra.items()
    )
    example = ":".join(str(labels[0]) for labels in entry.extra.values())
    return f"Say which entry of {entry.name}, as in {entry.name}:{example!s}: {choices}."


def _losses(data: "xr.Dataset", archive: "Archive") -> np.ndarray:
    if LOSS not in data:
        raise ValueError(
            f"{archive.folder} was measured without the loss, so models cannot be compared at "
            f"equal loss."
        )
    return _mean_loss(data)


def _mean_loss(data: "xr.Dataset") -> np.ndarray:
    return data[LOSS].mean("sequence").values
