"""One class, measured and compared with its own eager attention."""

from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from dva_lens import axes
from dva_lens.measuring.dataset import part_of
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare
from dva_lens.measuring.sequences import PaddedBatch
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.outputs import without_cache
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import SITES
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.table import STATISTICS

from . import inputs, truth
from .building import build
from .eager import Watched, watch
from .float64 import in_float64

EXACT = 1e-9
OWN_ERROR = "It does not run over this input by itself"
ALL = tuple(STATISTICS.values())


@final
@dataclass(frozen=True)
class EagerComparison:
    """How far the statistics of a model are from what its eager attention says.

    `worst` is the largest error, relative where a number is above one, and `where` the statistic
    that has it; `missing` maps statistics that are NaN somewhere to the reason, `unverified` are
    those that eager attention says nothing about.
    """

    worst: float
    where: str
    missing: dict[str, str] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()
    layers: int = 0
    attending: int = 0
    form: str = ""


def compare(name: str) -> EagerComparison:
    """Measure a class as `lens.measure` does, and compare it with its eager attention.

    A model of images and text gets both where a form of them is known that it takes.
    """
    with in_float64():
        model = build(name)
        given = inputs.given_to(model)
        prepared = prepare(model, given, InputOptions())
        prepared.sequences_per_pass(2)
        adapter, batch = prepared.adapter, inputs.whole(prepared.sequences)
        _run_by_itself(adapter, batch)
        reader = StatisticReader.of(ALL)
        options = RecordOptions(tuple(SITES.values()), reader=reader)
        own = record_pass(adapter, batch.tokens, batch.lengths, options)
        model.set_attn_implementation("eager")
        expected = _expected(adapter, batch, own, reader)
    return replace(_compared(own, expected), form=inputs.form(prepared.sequences))


def _run_by_itself(adapter: Any, batch: PaddedBatch) -> None:
    """Run a model without any recording, so that an error of its own is known as one."""
    call = inputs.call_of(adapter, batch)
    try:
        with torch.no_grad():
            adapter.runs(**without_cache(adapter.runs, call))
    except Exception as error:
        raise ValueError(f"{OWN_ERROR}: {error}") from error


def _expected(adapter: Any, batch: PaddedBatch, own: Record, reader: StatisticReader) -> Record:
    anatomy: Anatomy = adapter.anatomy
    streams: dict[int, Tensor] = {}
    for index, layer in enumerate(anatomy.layers):
        layer.register_forward_hook(_keep(streams, index))
    call = inputs.call_of(adapter, batch)
    calls, output = watch(adapter.runs, call)
    found: dict[int, list[Watched]] = {}
    for each in calls:
        if each.module in anatomy.owner:
            found.setdefault(anatomy.owner[each.module], []).append(each)
    layers = [
        truth.with_stream(
            _layer(found.get(index, []), anatomy.parent, own, reader),
            streams.get(index), own.lengths, reader,
        )
        for index in range(len(anatomy.layers))
    ]  # fmt: skip
    loss = None
    if own.loss is not None:
        loss = truth.loss_of(output.logits, call["input_ids"], own.lengths)
    return truth.record_of_layers(layers, own, loss)


def _layer(
    watched: list[Watched], parents: Any, own: Record, reader: StatisticReader
) -> LayerRecord:
    if len(watched) != 1:
        return LayerRecord()
    (one,) = watched
    heads, width = one.pattern.shape[1], one.value.shape[-1]
    projection = truth.output_of(one.module, parents, heads * width)
    output = None
    if projection is not None:
        matrix = projection.weight.detach()
        matrix = matrix.T if isinstance(projection, torch.nn.Linear) else matrix
        output = matrix.unflatten(0, (heads, width))
    return truth.layer_truth(one, output, own.tokens, own.lengths, reader)


def _keep(streams: dict[int, Tensor], index: int) -> Any:
    def keep(module: torch.nn.Module, args: Any, output: Any) -> None:
        del module, args
        streams[index] = output[0] if isinstance(output, tuple) else output

    return keep


def _compared(own: Record, expected: Record) -> EagerComparison:
    spans = axes.span_count(int(own.lengths.max()))
    ours, theirs = (part_of(each, ALL, spans=spans) for each in (own, expected))
    worst, where, unverified, missing = 0.0, "", [], {}
    for name, mine in ours.values.items():
        other = theirs.values[name]
        if name in ours.why_not:
            missing[name] = ours.why_not[name]
        if mine.shape != other.shape:
            if np.isfinite(mine).any():
                unverified.append(name)
            continue
        held = np.isfinite(mine)
        if (held & ~np.isfinite(other)).any():
            unverified.append(name)
        both = held & np.isfinite(other)
        if name == "sink_rate":
            both &= ~_tied(theirs.values["sink_importance"])
        gap = np.abs(mine - other)[both] / np.maximum(1.0, np.abs(other[both]))
        if gap.size and gap.max() > worst:
            worst, where = float(gap.max()), name
    attending = sum(each.summary is not None for each in own.layers)
    return EagerComparison(worst, where, missing, tuple(unverified), len(own.layers), attending)


def _tied(importance: np.ndarray) -> np.ndarray:
    """Say where a sink is just as strong as a threshold, so that rounding decides on its rate."""
    thresholds = np.array(STATISTICS["sink_rate"].extra["threshold"], dtype=float)
    return np.abs(importance[..., None] - thresholds) < EXACT
