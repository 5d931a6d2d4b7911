"""From records to labelled data: statistics computed, averaged within spans, and joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import xarray as xr
from jaxtyping import Int

from dva_lens import axes
from dva_lens.records import MAY_BE_NEGATIVE, LayerRecord, Record
from dva_lens.results.schema import BESIDE, BY_QUERY, DIMENSIONS, REFERENCE
from dva_lens.sites import LOSS, SUMMARY, AttentionEdges, Site
from dva_lens.statistics.spans import reference_by_span, rows_by_span, span_means
from dva_lens.statistics.statistic import SharedRecord, Statistic

DISPLAYED = 8
OTHER_TEXT = "it compares places of queries with places of keys, and these are of another text"
NO_LENGTH_REFERENCE = (
    "its reference is for plain causal attention, and a layer of this model sees other keys"
)


@final
@dataclass(frozen=True)
class Part:
    """What one record contributes: arrays whose sequence dimension is still to be joined."""

    values: Mapping[str, np.ndarray]
    by_query: Mapping[str, np.ndarray]
    references: Mapping[str, np.ndarray]
    rows: Int[np.ndarray, "sequence span"]
    rows_by_layer: Int[np.ndarray, "layer sequence span"]
    why_not: Mapping[str, str]
    lengths: Int[np.ndarray, "sequence"]
    kept: int = 0
    labels: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])
    edges: tuple[AttentionEdges | None, ...] = ()


def part_of(record: Record, statistics: Sequence[Statistic], *, spans: int, kept: int = 0) -> Part:
    """Compute the statistics of a record; `kept` sequences also keep their numbers per query."""
    shared = SharedRecord.of(record)
    values, by_query, references, why_not, labels = {}, {}, {}, {}, {}
    widest = _widest(record)
    visible = [widest if each.summary is None else each.summary.visible for each in record.layers]
    plain = record.keys is None and all(_is_causal(each, record.lengths) for each in visible)
    for statistic in statistics:
        layers = record.layers if statistic.at != "model" else record.layers[:1]
        found = [_computed(statistic, layer, shared, record) for layer in layers]
        reason = next((each for each in found if isinstance(each, str)), None)
        if reason is not None:
            why_not[statistic.name] = reason
        arrays = _filled(found, _shape(statistic, record))
        if statistic.at == "query":
            if kept:
                by_query[statistic.name] = _stack([each[:kept] for each in arrays])
            pairs = zip(arrays, visible, strict=True)
            arrays = [span_means(each, seen, spans) for each, seen in pairs]
        joined = _stack(arrays)
        values[statistic.name] = joined[0] if statistic.at == "model" else joined
        labels |= _labelled(statistic, layers, shared, record)
        reference = _reference(statistic, record, visible, spans=spans, plain=plain)
        if reference is not None:
            references[statistic.name] = reference
    each_rows = np.stack([rows_by_span(seen, spans) for seen in visible])
    rows = rows_by_span(widest, spans)
    edges = tuple(layer.edges for layer in record.layers)
    return Part(
        values, by_query, references, rows, each_rows, why_not, record.lengths, kept, labels, edges
    )


def assembled(
    parts: Sequence[Part],
    statistics: Sequence[Statistic],
    *,
    documents: Sequence[str],
    attrs: Mapping[str, object],
    hashes: Mapping[str, Sequence[str]] | None = None,
) -> xr.Dataset:
    """Join parts along their sequences into the dataset that every reader knows.

    `hashes` names coordinates over sequences that tell texts apart, such as those of
    `Sequences.hashes`.
    """
    found: dict[str, object] = {}
    coordinates: dict[str, object] = {}
    for statistic in statistics:
        dims = (*_dims(statistic), *statistic.extra)
        coordinates |= {name: _labels(labels) for name, labels in statistic.extra.items()}
        joined = _joined([part.values[statistic.name] for part in parts], dims)
        held = all(statistic.name in part.references for part in parts)
        reason = next(
            (p.why_not[statistic.name] for p in parts if statistic.name in p.why_not), ""
        )
        variable = joined.astype(np.float32), _attrs(statistic, held=held, reason=reason)
        found[statistic.name] = (dims, *variable)
        if held:
            references = [part.references[statistic.name] for part in parts]
            found[statistic.name + REFERENCE] = _joined_references(statistic, references)
        found |= _joined_labels(statistic, parts)
    rows = np.concatenate([part.rows for part in parts])
    found["rows"] = ((axes.SEQUENCE, axes.SPAN), rows, {"long_name": "Queries in the span"})
    found |= _rows_by_layer(parts)
    lengths = np.concatenate([part.lengths for part in parts])
    data = xr.Dataset(found, coords=coordinates, attrs=dict(attrs))
    labels = {
        name: np.arange(size) for name, size in data.sizes.items() if name not in coordinates
    }
    texts = {axes.DOCUMENT: documents, **(hashes or {})}
    named = {name: (axes.SEQUENCE, np.array(each, dtype=object)) for name, each in texts.items()}
    return data.assign_coords({**labels, **named, axes.LENGTH: (axes.SEQUENCE, lengths)})


def with_queries(
    data: xr.Dataset,
    parts: Sequence[Part],
    statistics: Sequence[Statistic],
    tokens: Sequence[Sequence[str]],
) -> xr.Dataset:
    """Add the numbers per query, and the tokens, of the first sequences."""
    lengths = data[axes.LENGTH].values[: len(tokens)]
    shown, longest = len(lengths), int(lengths.max())
    dims = (axes.LAYER, axes.HEAD, axes.SHOWN, axes.QUERY)
    found = {}
    for statistic in statistics:
        if statistic.at != "query":
            continue
        held = [p.by_query[statistic.name] for p in parts if statistic.name in p.by_query]
        layers, heads = data.sizes[axes.LAYER], data.sizes[axes.HEAD]
        values = np.full((layers, heads, shown, longest), np.nan, dtype=np.float32)
        row = 0
        for each in held:
            count, size = each.shape[1], each.shape[-1]
            values[:, :, row : row + count, :size] = each.swapaxes(1, 2)
            row += count
        about = {"long_name": statistic.long_name, "units": statistic.units}
        found[statistic.name + BY_QUERY] = (dims, values, about)
    texts = np.full((shown, longest), "", dtype=object)
    for row, words in enumerate(tokens):
        texts[row, : len(words)] = words
    found["token"] = ((axes.SHOWN, axes.QUERY), texts)
    places = {axes.SHOWN: np.arange(shown), axes.QUERY: np.arange(longest)}
    return data.assign(found).assign_coords(places)


def missing(statistic: Statistic, layer: LayerRecord, record: Record) -> str | None:
    """Return why a statistic cannot be computed in a layer, or None where it can."""
    if statistic.one_text and record.keys is not None:
        return OTHER_TEXT
    for site in statistic.needs:
        absent = record.loss is None if site == LOSS else getattr(layer, site.name) is None
        if absent:
            return layer.why_not.get(site.name, _default_reason(site))
    if layer.signed and SUMMARY in statistic.needs and not statistic.signed:
        return MAY_BE_NEGATIVE
    return None


def _default_reason(site: Site[object]) -> str:
    if site == LOSS:
        return "the model does not predict a next token"
    return f"the model has no {site.meaning}"


def _computed(
    statistic: Statistic, layer: LayerRecord, shared: SharedRecord, record: Record
) -> np.ndarray | str:
    reason = missing(statistic, layer, record)
    return statistic.compute(layer, shared) if reason is None else reason


def _labelled(
    statistic: Statistic, layers: Sequence[LayerRecord], shared: SharedRecord, record: Record
) -> dict[str, np.ndarray]:
    """Return the labels of a statistic in every layer, NaN in layers without the statistic."""
    if statistic.labels is None:
        return {}
    blank = dict.fromkeys(statistic.labels.about, np.full(_shape(statistic, record), np.nan))
    found = [
        blank if missing(statistic, layer, record) else statistic.labels.compute(layer, shared)
        for layer in layers
    ]
    return {name: _stack([each[name] for each in found]) for name in blank}


def _joined_labels(statistic: Statistic, parts: Sequence[Part]) -> dict[str, object]:
    if statistic.labels is None:
        return {}
    found: dict[str, object] = {}
    for name, (long_name, units) in statistic.labels.about.items():
        joined = _joined([part.labels[name] for part in parts], _dims(statistic))
        about: dict[str, object] = {"long_name": long_name, "units": units}
        about |= {BESIDE: statistic.name, "version": statistic.version}
        found[name] = (_dims(statistic), joined.astype(np.float32), about)
    return found


def _filled(found: Sequence[np.ndarray | str], shape: tuple[int, ...]) -> list[np.ndarray]:
    """Put NaN in place of every reason."""
    held = next((each for each in found if isinstance(each, np.ndarray)), np.empty(shape))
    return [np.full(held.shape, np.nan) if isinstance(each, str) else each for each in found]


def _stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stack layers, padding with NaN where layers differ in heads."""
    shape = np.max([each.shape for each in arrays], axis=0) if arrays[0].ndim else ()
    stacked = np.full((len(arrays), *shape), np.nan)
    for row, each in zip(stacked, arrays, strict=True):
        row[tuple(slice(size) for size in each.shape)] = each
    return stacked


def _shape(statistic: Statistic, record: Record) -> tuple[int, ...]:
    sequences, positions = record.tokens.shape
    heads, kv_heads = _heads(record)
    extra = tuple(len(labels) for labels in statistic.extra.values())
    per_head = (heads, positions)
    inner = {"query": per_head, "key": per_head, "head": (heads,), "kv_head": (kv_heads,)}
    return (sequences, *inner.get(statistic.at, ()), *extra)


def _heads(record: Record) -> tuple[int, int]:
    heads = [each.summary.entropy.shape[1] for each in record.layers if each.summary is not None]
    shared = [each.mix.share.shape[-1] for each in record.layers if each.mix is not None]
    sizes = [each.values.norm.shape[1] for each in record.layers if each.values is not None]
    most = max(heads, default=1)
    return most, max([*shared, *sizes], default=most)


def _widest(record: Record) -> Int[np.ndarray, "sequence query"]:
    """Return what queries see in the layer where they see most; all earlier keys, without any."""
    held = [each.summary.visible for each in record.layers if each.summary is not None]
    if held:
        return max(held, key=lambda each: int(each.sum()))
    place = np.arange(record.tokens.shape[1])
    return np.where(place < record.lengths[:, None], place + 1, -1)


def _is_causal(visible: Int[np.ndarray, "sequence query"], lengths: np.ndarray) -> bool:
    place = np.arange(visible.shape[1])
    real = place < lengths[:, None]
    return bool((visible == place + 1)[real].all())


def _reference(
    statistic: Statistic,
    record: Record,
    visible: Sequence[Int[np.ndarray, "sequence query"]],
    *,
    spans: int,
    plain: bool,
) -> np.ndarray | None:
    """Return a reference over (layer, sequence, span) of queries, else over sequences."""
    if statistic.reference is None or (statistic.one_text and record.keys is not None):
        return None
    if statistic.at != "query":
        return statistic.reference(record.lengths) if plain else None
    found: dict[bytes, np.ndarray] = {}
    for seen in visible:
        if seen.tobytes() not in found:
            found[seen.tobytes()] = reference_by_span(statistic.reference(seen), seen, spans)
    return np.stack([found[seen.tobytes()] for seen in visible])


def _joined_references(
    statistic: Statistic, references: Sequence[np.ndarray]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Join references along sequences; those of all layers are kept once where they are alike."""
    if statistic.at != "query":
        joined = np.concatenate(references).astype(np.float32)
        return (axes.SEQUENCE, *statistic.extra), joined
    joined = np.concatenate(references, axis=1).astype(np.float32)
    if np.array_equal(joined, np.broadcast_to(joined[:1], joined.shape), equal_nan=True):
        return (axes.SEQUENCE, axes.SPAN), joined[0]
    return (axes.LAYER, axes.SEQUENCE, axes.SPAN), joined


def _dims(statistic: Statistic) -> tuple[str, ...]:
    return DIMENSIONS[statistic.at]


def _joined(arrays: Sequence[np.ndarray], dims: tuple[str, ...]) -> np.ndarray:
    """Join (layer, sequence, head, ...) arrays and put the sequences where `dims` has them."""
    place = dims.index(axes.SEQUENCE)
    joined = np.concatenate(arrays, axis=min(place, 1))
    return np.moveaxis(joined, 1, place) if place > 1 else joined


def _labels(labels: Sequence[float | str]) -> np.ndarray:
    return np.array(labels, dtype=object if isinstance(labels[0], str) else float)


def _attrs(statistic: Statistic, *, held: bool, reason: str) -> dict[str, object]:
    names = ("long_name", "units", "meaning", "formula", "source", "version", "at", "pitfalls")
    attrs = {name: getattr(statistic, name) for name in names}
    attrs |= {"first_row": statistic.first_row, "row_mass": statistic.row_mass}
    if not held:
        attrs["why_no_reference"] = statistic.why_no_reference or NO_LENGTH_REFERENCE
    if reason:
        attrs["why_not"] = reason
    return attrs


def _rows_by_layer(parts: Sequence[Part]) -> dict[str, object]:
    rows = np.concatenate([part.rows_by_layer for part in parts], axis=1)
    if (rows == rows[:1]).all():
        return {}
    about = {"long_name": "Queries in the span, for layers that see different keys"}
    return {"rows_by_layer": ((axes.LAYER, axes.SEQUENCE, axes.SPAN), rows, about)}
