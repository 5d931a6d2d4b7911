"""What `compare` compares: a statistic of every model by layer, at equal step or at equal loss."""

from enum import StrEnum
from typing import TYPE_CHECKING, final

import numpy as np

from dva_lens.statistics.inference.compare import layer_profile
from dva_lens.statistics.inference.fairness import at_loss, at_step, common_loss, common_step

if TYPE_CHECKING:
    import xarray as xr

    from dva_lens.store.archive import Archive, Run

STEP, LOSS, SPAN = "step", "loss", "span"


@final
class Moment(StrEnum):
    """When trainings are compared; either moment alone favours somebody."""

    STEP = "step"
    LOSS = "loss"


def moment_of(archive: "Archive", moment: Moment, probe: str | None) -> float | None:
    """Return the last step at which all were measured, or the lowest loss that all reach.

    None where some were measured once: there is nothing to choose, and each is taken as it is.
    """
    several = [archive.dataset(run, probe) for run in archive.runs]
    if not all(STEP in data.dims for data in several):
        if moment == Moment.LOSS:
            raise ValueError(
                f"Some models of {archive.folder} were measured once and not as they were "
                f"trained, so they cannot be compared at equal loss."
            )
        return None
    if moment == Moment.STEP:
        return float(common_step([data[STEP].values for data in several]))
    return common_loss([_losses(data, archive) for data in several])


def words_for(moment: Moment, value: float | None) -> str:
    """Return when models are compared, in words."""
    if value is None:
        return "as they are"
    return f"at step {value:.0f}" if moment == Moment.STEP else f"at loss {value:.4f}"


def profiles(
    archive: "Archive",
    statistic: str,
    *,
    baseline: str,
    probe: str | None,
    moment: Moment = Moment.STEP,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return a statistic over (seed, sequence, layer) for every preset, and the documents."""
    from dva_lens.statistics.table import statistic as find

    find(statistic)
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
    if statistic not in data or data[statistic].attrs["at"] == "model":
        raise ValueError(
            f"{run.label} holds no {statistic!r} of its layers; choose another statistic."
        )
    rows = data["rows"].values if SPAN in data[statistic].dims else None
    if value is None:
        last = data.isel({STEP: -1}) if STEP in data.dims else data
        return layer_profile(last[statistic].values, rows)
    steps = data[STEP].values
    if moment == Moment.STEP:
        chosen = at_step(data[statistic].values, steps, int(value))
        return layer_profile(chosen, rows)
    over_steps = np.stack([layer_profile(each, rows) for each in data[statistic].values])
    return at_loss(over_steps, _mean_loss(data), value)


def _losses(data: "xr.Dataset", archive: "Archive") -> np.ndarray:
    if LOSS not in data:
        raise ValueError(
            f"{archive.folder} was measured without the loss, so models cannot be compared at "
            f"equal loss."
        )
    return _mean_loss(data)


def _mean_loss(data: "xr.Dataset") -> np.ndarray:
    return data[LOSS].mean("sequence").values
