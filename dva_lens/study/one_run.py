"""One run of a folder: an existing model, or one part of it, measured on a text and kept."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import xarray as xr

from dva_lens.data.documents import Corpus
from dva_lens.measuring import measure
from dva_lens.measuring.controls import measure_control
from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import flops_per_token, kv_bytes_per_token
from dva_lens.models.stored_weights import digest_of
from dva_lens.recording.edge_plan import BUDGET
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import BY_QUERY, statistics_of
from dva_lens.statistics.table import RECORDED, STATISTICS
from dva_lens.study.folder import keep_run, measurements_of
from dva_lens.study.keys import digest

TEXT = "text"


@final
@dataclass(frozen=True)
class MeasureOptions:
    """What to measure of a model: which statistics, of which texts, with which controls.

    `target` holds what the decoder of a model with an encoder and a decoder should write. `edges`
    are the bytes that the largest edges of single queries may take, 0 for none. `opening` is what
    `load` is called with beside the model, such as its device.
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
    target: Corpus | None = None
    batch_size: int = 8
    chat: bool = False
    system_prompt: str | None = None
    opening: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def running(self) -> dict[str, Any]:
        """How `measure` is to run the model, by its own names."""
        names = ("batch_size", "chat", "system_prompt")
        return {name: getattr(self, name) for name in names}


@final
@dataclass(frozen=True)
class MeasuredText:
    """The documents to measure on, and the targets that belong to them."""

    source: Corpus
    target: Corpus | None

    @property
    def sha256(self) -> str:
        """Return the hash of what is read."""
        return self.source.sha256 + ("" if self.target is None else self.target.sha256)


class MeasuredRun(NamedTuple):
    """What a run is kept by: its key, what it says of itself, and its measurement on each text."""

    key: str
    attrs: dict[str, Any]
    measurements: dict[str, xr.Dataset]

    @property
    def label(self) -> str:
        """What the run is called."""
        return str(self.attrs["label"])

    def called(self, label: str) -> "MeasuredRun":
        """Return the run under another name."""
        named = {"model": label, "preset": label, "label": label}
        measurements = {text: each.assign_attrs(named) for text, each in self.measurements.items()}
        return MeasuredRun(self.key, {**self.attrs, **named}, measurements)

    def kept(self, folder: Path) -> str:
        """Write the run into a folder that is claimed, and return its label."""
        keep_run(folder, self.key, attrs=self.attrs, measurements=self.measurements)
        return self.label


@final
@dataclass(frozen=True)
class OneRun:
    """One run of a folder: a model, or one part of it, on a text."""

    folder: Path
    model: Any
    text: MeasuredText
    options: MeasureOptions
    part: str | None

    def measured(self, name: str, progress: Callable[[Any], None] | None) -> MeasuredRun:
        """Measure it, with what its former measurement in the folder held; nothing is written."""
        options, model = self.options, self.model
        archive = scan(self.folder)
        base = name if self.part is None else f"{name} · {self.part}"
        key = _key(model, base, self._read.sha256, options)
        label = label_for(archive, key, base, chosen=options.name is not None)
        former = measurements_of(archive, key)
        wanted = _with_former(options, former)
        with _blamed(base):
            data = measure(
                model,
                self._read.source,
                target=self._read.target,
                part=self.part,
                statistics=wanted[TEXT],
                keep="query" if options.queries or _has_queries(former) else None,
                edges=options.edges,
                backend=options.backend,
                length=options.length,
                **options.running,
                progress=progress,
                name=label,
            )
        attrs = {
            "model": label,
            "preset": label,
            "seed": 0,
            "label": label,
            "order": place_of(archive, key),
            "loss": mean_loss(data),
            "train_seconds": None,
            "provenance": json.dumps(
                {"text": self.text.source.name, "text_sha256": self.text.source.sha256}
            ),
            **costs_of(model),
        }
        fresh = {TEXT: data, **self._controls(label, wanted)}
        measurements = {**{name: each.load() for name, each in former.items()}, **fresh}
        for each in measurements.values():
            each.attrs |= {"preset": label, "seed": 0, "label": label}
        return MeasuredRun(key, attrs, measurements)

    @property
    def _read(self) -> MeasuredText:
        """Return what the part reads: the encoder reads no target."""
        return MeasuredText(self.text.source, None) if self.part == "encoder" else self.text

    def _controls(
        self, label: str, wanted: Mapping[str, tuple[str, ...]]
    ) -> dict[str, xr.Dataset]:
        options = self.options
        return {
            control: measure_control(
                self.model,
                self._read.source,
                control,
                seed=options.seed,
                target=self._read.target,
                part=self.part,
                statistics=wanted[control],
                backend=options.backend,
                length=options.length,
                **options.running,
                name=label,
            )
            for control in options.controls
        }


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


def _key(model: Any, base: str, text: str, options: MeasureOptions) -> str:
    """Name a measurement by what the model is (its weights and how they are used) and reads."""
    content = {"weights": digest_of(model.state_dict()), "config": config_of(model)}
    about = {"model": content, "name": base, "text": text, "length": options.length}
    return digest(about | ({"chat": options.system_prompt or ""} if options.chat else {}))


def label_for(archive: Archive, key: str, base: str, *, chosen: bool) -> str:
    """Return what a run is called: what it was called before, or a name that no other has.

    Raises
    ------
    ValueError
        Another run has the name that was chosen.
    """
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


def mean_loss(data: xr.Dataset) -> float | None:
    """Return the mean loss, or None where it was not measured or the model has none."""
    if "loss" not in data or not bool(np.isfinite(data["loss"]).any()):
        return None
    return float(np.nanmean(data["loss"]))


def place_of(archive: Archive, key: str) -> int:
    """Return the place of a run among the others: the one it has, or the next."""
    places = {run.key: int(run.attrs.get("order", 0)) for run in archive.runs}
    return places.get(key, 1 + max(places.values(), default=-1))


def costs_of(model: Any) -> dict[str, Any]:
    """Return what a model says of itself; what is not known of foreign models is None."""
    config = getattr(model, "config", None)
    own = isinstance(config, ModelConfig)
    return {
        "config": config_of(model),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "flops_per_token": flops_per_token(config) if own else None,
        "kv_bytes_per_token": kv_bytes_per_token(config) if own else None,
    }


def config_of(model: Any) -> str:
    """Return the configuration of a model as JSON, without the place it was loaded from."""
    describe = getattr(getattr(model, "config", None), "to_dict", dict)
    kept = {name: value for name, value in describe().items() if name != "_name_or_path"}
    return json.dumps(kept, default=str)
