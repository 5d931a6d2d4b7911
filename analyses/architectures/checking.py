"""One class, measured and compared with its own eager attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor, nn

from dva_lens.measuring.prepare import prepare
from dva_lens.measuring.sequences import PaddedBatch
from dva_lens.recording.adapters import parts_of
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import SITES
from dva_lens.statistics.extended.reader import StatisticReader

from . import inputs, truth
from .building import build
from .comparison import ALL, EagerComparison, compared, joined
from .eager import Watched, watch
from .float64 import in_float64

WHOLE = ""
"""The name of the one part of a model that is one stack of layers."""


@final
@dataclass(frozen=True)
class MeasuredPart:
    """A model, or one part of it, that was recorded over a batch."""

    adapter: Any
    batch: PaddedBatch
    own: Record
    form: str


def compare(name: str) -> EagerComparison:
    """Measure a class as `lens.measure` does, and compare it with its eager attention.

    A model of images and text gets both where a form of them is known that it takes. One with an
    encoder and a decoder is measured in its parts; the first refusal is raised where none can be.
    """
    with in_float64():
        model = build(name)
        reader = StatisticReader.of(ALL)
        measured, refused = _parts(model, reader)
        model.set_attn_implementation("eager")
        found = {
            part: replace(compared(each.own, _expected(part, each, reader)), form=each.form)
            for part, each in measured.items()
        }
    said = {part: f"{type(error).__name__}: {error}"[:600] for part, error in refused.items()}
    return joined(found, said)


def _parts(
    model: Any, reader: StatisticReader
) -> tuple[dict[str, MeasuredPart], dict[str, Exception]]:
    """Measure all parts of a model; return those that can be, and what was said of the others."""
    measured: dict[str, MeasuredPart] = {}
    refused: dict[str, Exception] = {}
    for part in parts_of(model) or (WHOLE,):
        try:
            measured[part] = _measured(model, part, reader)
        except Exception as error:  # whatever it is, the page says it
            refused[part] = error
    if not measured:
        raise next(iter(refused.values()))
    return measured, refused


def _measured(model: Any, part: str, reader: StatisticReader) -> MeasuredPart:
    given, options = inputs.given_to(model, part or None)
    prepared = prepare(model, given, options)
    prepared.sequences_per_pass(2)
    adapter, batch = prepared.adapter, inputs.whole(prepared.sequences)
    if batch.source is not None:
        adapter = adapter.reading(batch.source)
    recording = RecordOptions(tuple(SITES.values()), reader=reader)
    own = record_pass(adapter, batch.tokens, batch.lengths, recording)
    return MeasuredPart(adapter, batch, own, inputs.form(prepared.sequences))


def _expected(part: str, measured: MeasuredPart, reader: StatisticReader) -> Record:
    """Return the record that eager attention gives of a model or a part of one."""
    adapter, own = measured.adapter, measured.own
    streams: dict[int, Tensor] = {}
    hooks = [
        layer.register_forward_hook(_keep(streams, index))
        for index, layer in enumerate(adapter.anatomy.layers)
    ]
    calls, output = watch(inputs.run_by(adapter), inputs.call_of(adapter, measured.batch))
    for hook in hooks:
        hook.remove()
    found = _by_layer(calls, adapter.anatomy.owner) if part == WHOLE else _of(part, calls, output)
    layers = [
        truth.with_stream(
            _layer(found.get(index, []), adapter.anatomy.parent, own, reader),
            streams.get(index), own.lengths, reader,
        )
        for index in range(len(adapter.anatomy.layers))
    ]  # fmt: skip
    loss = None
    if own.loss is not None:
        loss = truth.loss_of(output.logits, inputs.wanted(adapter, measured.batch))
    return truth.record_of_layers(layers, own, loss)


def _by_layer(
    calls: Sequence[Watched], owner: Mapping[nn.Module, int]
) -> dict[int, list[Watched]]:
    found: dict[int, list[Watched]] = {}
    for each in calls:
        if each.module in owner:
            found.setdefault(owner[each.module], []).append(each)
    return found


def _of(part: str, calls: Sequence[Watched], output: Any) -> dict[int, list[Watched]]:
    """Return the attentions of a part: those whose patterns the model puts out as such."""
    patterns = output[f"{part}_attentions"]
    return {
        index: [each for each in calls if each.pattern is pattern]
        for index, pattern in enumerate(patterns)
    }


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
    return truth.layer_truth(one, output, own, reader)


def _keep(streams: dict[int, Tensor], index: int) -> Any:
    def keep(module: torch.nn.Module, args: Any, output: Any) -> None:
        del module, args
        streams[index] = output[0] if isinstance(output, tuple) else output

    return keep
