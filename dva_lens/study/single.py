"""Measure one existing model on a text and keep the result in an archive beside others."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from dva_lens.models.stored_weights import digest_of
from dva_lens.recording.edge_plan import BUDGET
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import BY_QUERY, statistics_of
from dva_lens.statistics.table import RECORDED, STATISTICS
from dva_lens.study.folder import claimed, keep_run, measurements_of
from dva_lens.study.keys import digest
from dva_lens.validation import shown

TEXT = "text"
LONGEST_NAME = 100


@final
@dataclass(frozen=True)
class MeasureOptions:
    """What to measure of a model: which statistics, of which texts, with which controls.

    `edges` are the bytes that the largest edges of single queries may take, 0 for none.
    """

    statistics: tuple[str, ...] = RECORDED
    length: int | None = None
    documents: int = 32
    backend: str = "auto"
    seed: int = 0
    queries: bool = True
    controls: tuple[str, ...] = ()
    name: str | None = None
    edges: int = BUDGET


def measure_into(
    folder: Path,
    name: str,
    corpus: Corpus,
    options: MeasureOptions,
    *,
    progress: Callable[[Any], None] | None = None,
) -> str:
    """Measure a model on documents spread over a corpus, add it to a folder, return its label.

    Models are distinguished by their weights. One whose name another model of the folder has gets
    a longer one. The same model on the same text under the same name is measured anew: what
    its former measurement held beyond what is asked for now is measured or kept too.

    Raises
    ------
    ValueError
        The name that was asked for is none, or that of another run of the folder; or the model
        cannot be run on the text.
    """
    _check_name(options.name)
    model = load(name)
    text = spread(corpus, options.documents, options.seed)
    with claimed(folder):
        archive = scan(folder)
        base = options.name or Path(name).name.removesuffix(".gguf") or name
        key = _key(model, base, text, options.length)
        label = _label(archive, key, base, chosen=options.name is not None)
        former = measurements_of(archive, key)
        wanted = _with_former(options, former)
        with _blamed(name):
            data = measure(
                model,
                text,
                statistics=wanted[TEXT],
                keep="query" if options.queries or _has_queries(former) else None,
                edges=options.edges,
                backend=options.backend,
                length=options.length,
                progress=progress,
                name=label,
            )
        attrs = {
            "model": label,
            "preset": label,
            "seed": 0,
            "label": label,
            "order": _order(archive, key),
            "loss": float(np.nanmean(data["loss"])) if "loss" in data else None,
            "train_seconds": None,
            "provenance": json.dumps({"text": text.name, "text_sha256": text.sha256}),
            **_costs(model),
        }
        fresh = {TEXT: data, **_controls(model, text, options, label, wanted)}
        measurements = {**{name: each.load() for name, each in former.items()}, **fresh}
        for each in measurements.values():
            each.attrs |= {"preset": label, "seed": 0, "label": label}
        keep_run(folder, key, attrs=attrs, measurements=measurements)
    return label


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or "/" in name:
        raise ValueError(
            f"A name must be 1 to {LONGEST_NAME} printable characters without '/', got "
            f"{shown(name)}; pass another --name."
        )


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Say of what a model raises while it runs that it is of this model."""
    try:
        yield
    except (TypeError, AttributeError, IndexError, AssertionError, ArithmeticError) as error:
        lines = str(error).strip().splitlines() or ["no detail"]
        raise ValueError(
            f"{name!r} cannot be run on this text ({type(error).__name__}: {lines[0]}); is its "
            f"configuration that of its weights?"
        ) from error


def _key(model: Any, base: str, text: Corpus, length: int | None) -> str:
    """Name a measurement by what the model is (its weights and how they are used) and reads."""
    content = {"weights": digest_of(model.state_dict()), "config": _config(model)}
    return digest({"model": content, "name": base, "text": text.sha256, "length": length})


def _label(archive: Archive, key: str, base: str, *, chosen: bool) -> str:
    """Return what a run is called: what it was called before, or a name that no other has."""
    for run in archive.runs:
        if run.key == key:
            return run.label
    if base not in {name for run in archive.runs for name in (run.label, run.model)}:
        return base
    if chosen:
        raise ValueError(
            f"{archive.folder} holds another run called {base!r}, of another model or text; pass "
            f"another --name."
        )
    return f"{base}-{key[:6]}"


def _with_former(
    options: MeasureOptions, former: Mapping[str, xr.Dataset]
) -> dict[str, tuple[str, ...]]:
    """Return the statistics to measure on each text: what is asked for, and what was there."""
    return {
        name: (
            *options.statistics,
            *(
                one
                for one in (statistics_of(former[name]) if name in former else ())
                if one in STATISTICS and one not in options.statistics
            ),
        )
        for name in (TEXT, *options.controls)
    }


def _has_queries(former: Mapping[str, xr.Dataset]) -> bool:
    return TEXT in former and any(str(name).endswith(BY_QUERY) for name in former[TEXT])


def _controls(
    model: Any,
    text: Corpus,
    options: MeasureOptions,
    label: str,
    wanted: Mapping[str, tuple[str, ...]],
) -> dict[str, xr.Dataset]:
    return {
        control: measure_control(
            model,
            text,
            control,
            seed=options.seed,
            statistics=wanted[control],
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
    return {
        "config": _config(model),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops_per_token": flops_per_token(config) if own else None,
        "kv_bytes_per_token": kv_bytes_per_token(config) if own else None,
    }


def _config(model: Any) -> str:
    """Return the configuration of a model as JSON, without the place it was loaded from."""
    describe = getattr(getattr(model, "config", None), "to_dict", dict)
    kept = {name: value for name, value in describe().items() if name != "_name_or_path"}
    return json.dumps(kept, default=str)
