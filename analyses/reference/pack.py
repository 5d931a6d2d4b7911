"""Pack the runs of a study for the package: each one file, small, whole in what it keeps.

Of every run the main text stays, on the first `SEQUENCES` sequences, at the start and at the last
`STEPS` measured steps; numbers are rounded to `BITS` bits, by at most 0.2 %. Single queries and
edges stay for the first seed of `WITH_TOKENS`, on `SHOWN` sequences. What was left out is said in
the provenance of the run. Repeated, it packs the runs that are not packed yet.

Models that are asked for come along, their weights rounded to `WEIGHT_BITS` bits, as many as
numbers of half precision have, and with a tokenizer that begins with the start token of the study.

    python -m dva_lens.analyses.reference.pack runs/reference dva_lens/results/shipped/reference
        [--checkpoint transformer-2]
"""

import argparse
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from dva_lens import axes
from dva_lens.data.tokenizer import starting
from dva_lens.files import read_yaml
from dva_lens.models.checkpoint import load_checkpoint, save_checkpoint
from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.runs import Run
from dva_lens.results.schema import ARCHIVE, BY_QUERY, CHECKPOINTS, EDGES, KEY_VALUES, RUNS
from dva_lens.results.writer import write_run

STUDY = Path(__file__).with_name("study.yaml")
SEQUENCES = 16
STEPS = 4
BITS = 8
WEIGHT_BITS = 10
SHOWN = 2
FIRST_SEED = 0
WITH_TOKENS = ("transformer", "resformer-identity", "dva", "resformer-dva")
_MANTISSA = 23
_SHOWN = ("shown", "listed")
"""Dimensions over the sequences of which single tokens are kept."""


def packed(data: xr.Dataset, *, tokens: bool) -> xr.Dataset:
    """Return what is kept of a measurement, with or without its single tokens."""
    data = data.load()
    if axes.STEP in data.dims:
        last = [*range(data.sizes[axes.STEP])][1:][-STEPS:]
        data = data.isel({axes.STEP: [0, *last]})
    data = data.isel({axes.SEQUENCE: slice(SEQUENCES)})
    data = data.isel({name: slice(SHOWN) for name in _SHOWN if name in data.dims})
    if not tokens:
        names, single = map(str, data.data_vars), {*EDGES, *KEY_VALUES}
        data = data.drop_vars([n for n in names if n.endswith(BY_QUERY) or n in single])
    return data.map(_rounded, keep_attrs=True)


def _rounded(values: xr.DataArray) -> xr.DataArray:
    return values.copy(data=rounded(values.values))


def rounded(values: np.ndarray, kept: int = BITS) -> np.ndarray:
    """Return numbers in single precision, rounded to some bits; what is no number stays."""
    if values.dtype.kind != "f":
        return values
    cut = _MANTISSA - kept
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    near = (bits + np.uint32(1 << (cut - 1))) & np.uint32(~((1 << cut) - 1) & 0xFFFFFFFF)
    return np.where(np.isfinite(values), near.view(np.float32), values.astype(np.float32))


def pack(archive: Archive, run: Run, out: Path) -> Path:
    """Write what is kept of a run as one file, named by its label; return it."""
    text = archive.texts_of(run)[0]
    shown = run.label in {f"{model}-{FIRST_SEED}" for model in WITH_TOKENS}
    data = packed(archive.dataset(run, text), tokens=shown)
    provenance = json.loads(run.attrs.get("provenance", "{}"))
    provenance["packed"] = f"{SEQUENCES} sequences, {STEPS} steps and the start, {BITS} bits"
    attrs = {**run.attrs, "provenance": json.dumps(provenance), "order": _place(run)}
    attrs.pop("texts", None)
    with tempfile.TemporaryDirectory() as place:
        training = archive.training(run).load().map(_rounded, keep_attrs=True)
        write_run(Path(place), run.key, attrs=attrs, measurements={text: data}, training=training)
        draft = Path(place) / f"{run.label}.zip"
        _zip(Path(place) / ARCHIVE / RUNS / run.key, f"{ARCHIVE}/{RUNS}/{run.key}", draft)
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(draft, out / draft.name))


def pack_checkpoint(folder: Path, out: Path) -> Path:
    """Write the model of a folder as one file, which is unpacked beside the runs; return it."""
    held = load_checkpoint(folder)
    for weights in held.model.parameters():
        weights.data = torch.from_numpy(rounded(weights.detach().numpy(), WEIGHT_BITS))
    tokenizer = held.tokenizer
    if tokenizer is not None and read_yaml(STUDY)["start"]:
        tokenizer = starting(tokenizer)
    with tempfile.TemporaryDirectory() as place:
        made = save_checkpoint(
            Path(place) / CHECKPOINTS / folder.name, held.model, tokenizer, held.training
        )
        draft = Path(place) / f"{folder.name}-checkpoint.zip"
        _zip(made, f"{CHECKPOINTS}/{folder.name}", draft)
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(draft, out / draft.name))


def _place(run: Run) -> int:
    """Return where the model stands in the reference study, however few it was trained with."""
    presets = read_yaml(STUDY)["presets"]
    preset = run.attrs.get("preset")
    return presets.index(preset) if preset in presets else int(run.attrs.get("order", 0))


def _zip(folder: Path, name: str, file: Path) -> None:
    """Zip a folder so that the same content gives the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            about = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}")
            about.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(about, path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack the runs of a study that are not packed yet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what `dva-lens study run` wrote")
    parser.add_argument("out", type=Path, help="where the packed runs are")
    parser.add_argument("--checkpoint", nargs="*", default=[], help="labels of models to pack")
    given = parser.parse_args(arguments)
    archive = open_archive(given.folder)
    made = [pack_checkpoint(archive.checkpoint(label), given.out) for label in given.checkpoint]
    for run in archive.runs:
        if not (given.out / f"{run.label}.zip").exists():
            made.append(pack(archive, run, given.out))
    for file in made:
        sys.stdout.write(f"{file}: {file.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
