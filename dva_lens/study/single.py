"""Measure one existing model on a text and keep the result in an archive beside others."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens.data.documents import Corpus, corpus_of
from dva_lens.loading import load
from dva_lens.measuring import measure
from dva_lens.measuring.controls import measure_control
from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import flops_per_token, kv_bytes_per_token
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import SCHEMA_VERSION
from dva_lens.results.writer import write_catalogue, write_run
from dva_lens.statistics.table import PRIMARY
from dva_lens.study.folder import claimed
from dva_lens.study.keys import digest

TEXT = "text"


@final
@dataclass(frozen=True)
class MeasureOptions:
    """What to measure of a model: which statistics, of which texts, with which controls."""

    statistics: tuple[str, ...] = PRIMARY
    length: int | None = None
    documents: int = 32
    backend: str = "auto"
    seed: int = 0
    queries: bool = True
    controls: tuple[str, ...] = ()


def measure_into(
    folder: Path,
    name: str,
    corpus: Corpus,
    options: MeasureOptions,
    *,
    progress: Callable[[Any], None] | None = None,
) -> str:
    """Measure a model on documents spread over a corpus, add it to a folder, return its label.

    The same model on the same text replaces its former measurement.
    """
    model = load(name)
    label = Path(name).name or name
    text = spread(corpus, options.documents, options.seed)
    with claimed(folder):
        data = measure(
            model,
            text,
            statistics=options.statistics,
            keep="query" if options.queries else None,
            backend=options.backend,
            length=options.length,
            progress=progress,
            name=label,
        )
        key = digest({"model": name, "text": text.sha256, "length": options.length})
        attrs = {
            "model": label,
            "preset": label,
            "seed": 0,
            "label": label,
            "order": _order(scan(folder), key),
            "loss": float(np.nanmean(data["loss"])) if "loss" in data else None,
            "train_seconds": None,
            "provenance": json.dumps({"text": text.name, "text_sha256": text.sha256}),
            **_costs(model),
        }
        measurements = {TEXT: data, **_controls(model, text, options, label)}
        for each in measurements.values():
            each.attrs |= {"preset": label, "seed": 0, "label": label}
        write_run(folder, key, attrs=attrs, measurements=measurements)
        rows = [dict(row) for row in scan(folder).catalogue]
        write_catalogue(folder, {"schema": SCHEMA_VERSION, "runs": rows})
    return label


def _controls(
    model: Any, text: Corpus, options: MeasureOptions, label: str
) -> dict[str, xr.Dataset]:
    return {
        control: measure_control(
            model,
            text,
            control,
            seed=options.seed,
            statistics=options.statistics,
            backend=options.backend,
            length=options.length,
            name=label,
        )
        for control in options.controls
    }


def spread(corpus: Corpus, count: int, seed: int) -> Corpus:
    """Return a corpus of at most `count` documents, drawn evenly and kept in their order."""
    names = sum(1 for _ in corpus.documents)
    if names <= count:
        return corpus
    chosen = _drawn(names, count, seed)
    documents = tuple(one for place, one in enumerate(corpus.documents) if place in chosen)
    return corpus_of(corpus.name, documents)


def _drawn(population: int, count: int, seed: int) -> frozenset[int]:
    drawn = np.random.default_rng(seed).choice(population, count, replace=False)
    return frozenset(int(place) for place in drawn)


def _order(archive: Archive, key: str) -> int:
    """Return the place of a run among the others: the one it has, or the next."""
    places = {run.key: int(run.attrs.get("order", 0)) for run in archive.runs}
    return places.get(key, 1 + max(places.values(), default=-1))


def _costs(model: Any) -> dict[str, Any]:
    """Return what a model says of itself; what is not known of foreign models is None."""
    config = getattr(model, "config", None)
    own = isinstance(config, ModelConfig)
    describe = getattr(config, "to_dict", dict)
    return {
        "config": json.dumps(describe(), default=str),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops_per_token": flops_per_token(config) if own else None,
        "kv_bytes_per_token": kv_bytes_per_token(config) if own else None,
    }
