"""Measurements from what a person holds in memory: one dataset, several, or several by model."""

from collections.abc import Iterator, Mapping, Sequence

import xarray as xr

from dva_lens import axes
from dva_lens.results.measurement import Measurement
from dva_lens.results.reader import Measurements

Datasets = xr.Dataset | Sequence[xr.Dataset]
Data = Measurements | Datasets | Mapping[str, Datasets]


def collect(data: Data) -> Measurements:
    """Return measurements of what `dva_lens.measure` returned, or of what was read of an archive.

    `data` is one dataset, several (those of one model are its seeds), or one or several for each
    label. A dataset with a `run` dimension holds one training per run. Datasets of one label that
    do not say their seed, or say the same, are distinguished by their order.

    Raises
    ------
    ValueError
        If there is no dataset.
    """
    if isinstance(data, Measurements):
        return data
    parts: list[Measurement] = []
    for model, found in _labelled(data):
        taken = {part.seed for part in parts if part.model == model}
        seed = int(found.attrs.get("seed", len(taken)))
        if seed in taken:
            seed = max(taken) + 1
        parts.append(Measurement(model, seed, f"{model}-{seed}", found))
    if not parts:
        raise ValueError("There is nothing to read: `data` is empty.")
    return Measurements(tuple(parts), text=str(parts[0].data.attrs.get("text", "")))


def _labelled(data: Datasets | Mapping[str, Datasets]) -> Iterator[tuple[str, xr.Dataset]]:
    if isinstance(data, xr.Dataset):
        yield from _split(data)
    elif isinstance(data, Mapping):
        for label, found in data.items():
            for one in (found,) if isinstance(found, xr.Dataset) else found:
                yield str(label), one
    else:
        for one in data:
            yield from _split(one)


def _split(data: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    if axes.RUN not in data.dims:
        yield str(data.attrs.get("preset") or data.attrs.get("model") or "model"), data
        return
    for at in range(data.sizes[axes.RUN]):
        run = data.isel({axes.RUN: at})
        model = str(run[axes.MODEL].item()) if axes.MODEL in run.coords else "model"
        seed = {"seed": int(run[axes.SEED].item())} if axes.SEED in run.coords else {}
        yield model, run.assign_attrs(preset=model, **seed)
