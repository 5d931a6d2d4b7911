"""Computing a statistic on every layer of a record; where it does not apply it is NaN."""

import numpy as np

from dva_lens.records import LayerRecord, Record
from dva_lens.statistics.statistic import SharedRecord, Statistic


def evaluate(statistic: Statistic, record: Record) -> np.ndarray:
    """Return a statistic as float64 with the layer first (no layer axis for "model").

    A layer whose record says why a site does not apply holds NaN; a site that was simply not
    recorded is refused by `LayerRecord.at`.
    """
    shared = SharedRecord.of(record)
    if statistic.at == "model":
        return np.asarray(statistic.compute(record.layers[0], shared), dtype=np.float64)
    found = [
        None if why_not(statistic, layer) else statistic.compute(layer, shared)
        for layer in record.layers
    ]
    held = [values for values in found if values is not None]
    shape = held[0].shape if held else _blank_shape(statistic, record)
    blank = np.full(shape, np.nan)
    return np.stack([blank if values is None else values for values in found]).astype(np.float64)


def why_not(statistic: Statistic, layer: LayerRecord) -> str:
    """Return why a statistic does not apply to a layer, or nothing where it does."""
    reasons = [
        layer.why_not[site.name]
        for site in statistic.needs
        if getattr(layer, site.name, None) is None and site.name in layer.why_not
    ]
    return reasons[0] if reasons else ""


def _blank_shape(statistic: Statistic, record: Record) -> tuple[int, ...]:
    sequences, positions = record.tokens.shape
    extra = tuple(len(labels) for labels in statistic.extra.values())
    middle = {
        "query": (_heads(record), positions),
        "key": (_heads(record), positions),
        "head": (_heads(record),),
        "kv_head": (_kv_heads(record),),
        "layer": (),
    }[statistic.at]
    return (sequences, *middle, *extra)


def _heads(record: Record) -> int:
    for layer in record.layers:
        if layer.summary is not None:
            return layer.summary.entropy.shape[1]
        if layer.dynamics is not None:
            return layer.dynamics.power.shape[1]
    return 1


def _kv_heads(record: Record) -> int:
    for layer in record.layers:
        if layer.values is not None:
            return layer.values.norm.shape[1]
        if layer.mix is not None:
            return layer.mix.share.shape[2]
    return 1
