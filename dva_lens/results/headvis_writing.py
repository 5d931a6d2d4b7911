"""A measurement written as a tree of HeadVis, for its viewers."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import json
import os
import shutil
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import WITHOUT, edged_sequences, edges
from dva_lens.results.estimates import estimate
from dva_lens.results.headvis import CONFIG, HEADS, SCATTER
from dva_lens.results.measurement import Measurement
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import TOKEN, ArchiveError
from dva_lens.writing import write_text

NAMES = {
    "entropy": "pattern_entropy",
    "previous_score": "prev_token_score",
    "distance": "qk_distance",
    "induction_score": "induction_score",
}
"""What HeadVis calls statistics of ours; the others keep their names."""
DIGITS = 4
INTERVALS = 5
_BINS = 50
_TOP = 50
_DISTANCES = (0, *(2**power for power in range(21)))


def write_headvis(part: Measurement, text: str, edged: xr.Dataset, folder: Path) -> Path:
    """Write one training, measured on a text, as a tree; return its folder.

    `edged` holds the edges of the shown sequences, all of which become samples of every head;
    weights below half of the last of four digits are left out. A tree that is there is replaced.

    Raises
    ------
    ArchiveError
        No edges were kept.
    FileExistsError
        The folder holds something else.
    """
    count = edged_sequences(edged)
    if not count:
        raise ArchiveError(WITHOUT)
    if folder.exists() and not (folder / CONFIG).is_file() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something else than a HeadVis tree; name another.")
    metrics, words = _metrics(part, text)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / HEADS).mkdir(parents=True)
    heads = sorted(_heads(part.data))
    for layer, head in heads:
        samples = _samples(edged, layer, head, count)
        _write(draft / HEADS / f"L{layer}H{head}.json", _of_head(samples))
    rows = [
        {
            "layer": layer,
            "head": head,
            **{name: _rounded(all_[layer, head]) for name, all_ in metrics.items()},
        }
        for layer, head in heads
    ]
    _write(draft / SCATTER, rows)
    _write(draft / CONFIG, _config(part, text, heads, words, count))
    _write(draft / "server_config.json", {})
    (draft / "attributions").mkdir()
    _write(draft / "attributions" / "manifest.json", {})
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(draft, folder)  # noqa: PTH105 - whole or not at all
    return folder


def _heads(data: xr.Dataset) -> list[tuple[int, int]]:
    return list(np.ndindex(data.sizes[axes.LAYER], data.sizes[axes.HEAD]))


def _metrics(part: Measurement, text: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the mean of every statistic of heads by layer and head, and what each means."""
    measured = Measurements((part,), text)
    found, words = {}, {}
    for name in measured.statistics:
        values = measured.values(name)
        if not {axes.LAYER, axes.HEAD} <= set(values.dims):
            continue
        called = NAMES.get(name, name)
        means = estimate(values, (axes.LAYER, axes.HEAD))["value"]
        found[called] = means.isel({axes.MODEL: 0}).values
        words[called] = str(values.attrs.get("meaning", values.attrs.get("long_name", name)))
    return found, words


def _samples(edged: xr.Dataset, layer: int, head: int, count: int) -> list[dict[str, Any]]:
    """Return the texts of a head, each with its interval: the last holds the largest weights."""
    samples = [_sample(edges(edged, layer, head, sequence=at), at) for at in range(count)]
    order = np.argsort([each["max_activation"] for each in samples], kind="stable")
    for place, at in enumerate(order):
        samples[at]["interval"] = 1 + place * min(INTERVALS, count) // count
    return samples


def _sample(found: xr.Dataset, at: int) -> dict[str, Any]:
    tokens = [str(token) for token in found[TOKEN].values]
    key, weight = found["key"].values, np.round(found["weight"].values.astype(float), DIGITS)
    query, rank = np.nonzero((key >= 0) & (weight > 0))
    places, weights = query * len(tokens) + key[query, rank], weight[query, rank]
    counted = (query > 0) & (key[query, rank] > 0)  # as the viewer does
    order = np.argsort(places)
    return {
        "sequence_id": at,
        "tokens": tokens,
        "attention_indices": places[order].tolist(),
        "attention_values": weights[order].tolist(),
        "seq_len": len(tokens),
        "max_activation": float(weights[counted].max(initial=0.0)),
    }


def _of_head(samples: list[dict[str, Any]]) -> dict[str, Any]:
    largest = [each["max_activation"] for each in samples]
    histogram, bins = np.histogram(largest, np.linspace(0, 1, _BINS + 1))
    distances = np.zeros(len(_DISTANCES) - 1)
    sums: dict[str, dict[str, float]] = {"query": {}, "key": {}}
    for each in samples:
        query, key = np.divmod(np.array(each["attention_indices"], int), each["seq_len"])
        weights = np.array(each["attention_values"], float)
        distances += np.histogram(np.abs(query - key), _DISTANCES, weights=weights)[0]
        for side, at in (("query", query), ("key", key)):
            mass = np.bincount(at, weights, each["seq_len"])
            for token, one in zip(each["tokens"], mass, strict=True):
                sums[side][token] = sums[side].get(token, 0.0) + float(one)
    return {
        "sequences": samples,
        "qk_distance_histogram": _histogram(_DISTANCES, distances),
        "top_query_tokens": _top(sums["query"]),
        "top_key_tokens": _top(sums["key"]),
        "histogram": _histogram(bins, histogram),
        "statistics": {
            "n_samples": len(samples),
            "mean_max_activation": _rounded(np.mean(largest)),
        },
    }


def _histogram(edges_of_bins: Any, counts: Any) -> dict[str, list[float | int | None]]:
    return {
        "bin_edges": [_rounded(each) for each in edges_of_bins],
        "bin_values": [_rounded(each) for each in counts],
    }


def _top(sums: Mapping[str, float]) -> list[dict[str, Any]]:
    ranked = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]
    return [{"token": token, "weight": _rounded(weight)} for token, weight in ranked if weight > 0]


def _config(
    part: Measurement,
    text: str,
    heads: list[tuple[int, int]],
    words: Mapping[str, str],
    count: int,
) -> dict[str, Any]:
    attrs = part.data.attrs
    plots = {"qk_distance_histogram": "Distance", "histogram": "Largest weight"}
    tables = {"top_query_tokens": "Top query tokens", "top_key_tokens": "Top key tokens"}
    return {
        "model_name": part.label,
        "dataset_name": text,
        "heads": [list(each) for each in heads],
        "n_layers": part.data.sizes[axes.LAYER],
        "n_heads": part.data.sizes[axes.HEAD],
        "n_intervals": min(INTERVALS, count),
        "metrics": list(words),
        "metric_descriptions": dict(words),
        "head_data_pattern": "L{layer}H{head}.json",
        "has_umap": False,
        "umap_heads": [],
        "custom_plots": [{"key": key, "label": label} for key, label in plots.items()],
        "custom_tables": [{"key": key, "label": label} for key, label in tables.items()],
        "statistics_display": {
            "n_samples": {"label": "Texts", "format": "default"},
            "mean_max_activation": {"label": "Mean largest weight", "format": "default"},
        },
        "pipeline_config": {
            "model_name": part.label,
            "dataset_name": text,
            "n_sequences": int(part.data.sizes[axes.SEQUENCE]),
            "seq_len": int(part.data[axes.LENGTH].max()),
            "dtype": str(attrs.get("dtype", "unknown")),
            "attn_implementation": f"dva-lens {attrs.get('backend', '')}".strip(),
        },
    }


def _rounded(value: Any) -> float | int | None:
    number = float(value)
    if not isfinite(number):
        return None
    return int(number) if number == int(number) else round(number, DIGITS)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False) + "\n")
