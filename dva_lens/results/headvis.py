"""Trees of HeadVis, read and written: what each head is, and where it looks in sampled texts.

A tree is a folder of JSON: `config.json`, `scatter_data.json` with one row of metrics per head,
and `heads/L{layer}H{head}.json` with the texts that were sampled for a head, whose weights stand
there as pairs of a place `query * length + key` and a number. Its viewer leaves out position 0.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.files import read_text
from dva_lens.results.edges import POSITION
from dva_lens.results.schema import TOKEN

CONFIG, SCATTER, HEADS = "config.json", "scatter_data.json", "heads"
LARGEST = 64 << 20
"""Bytes of one file of a tree."""
MOST_HEADS = 1 << 10
"""Layers of a model, and heads of a layer."""
MOST_EDGES = 1 << 26
"""Tokens of a text times edges of a query."""


@final
@dataclass(frozen=True, repr=False)
class HeadVisTree:
    """A tree that was opened: `metrics` over (layer, head), and the texts of single heads.

    `config` is what the tree says of itself.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: xr.Dataset

    def __repr__(self) -> str:
        held = ", ".join(str(name) for name in self.metrics)
        sizes = " × ".join(f"{self.metrics.sizes[dim]} {dim}s" for dim in (axes.LAYER, axes.HEAD))
        return f"HeadVis tree {self.folder} of {self.model}: {sizes}\n  metrics: {held}"

    @property
    def model(self) -> str:
        """What the model is called."""
        return str(self.config.get("model_name", "a model"))

    def sequences(self, layer: int, head: int) -> tuple[int, ...]:
        """Return the numbers of the texts that were sampled for a head, the strongest first.

        Raises
        ------
        FileNotFoundError
            The tree holds no such head.
        ValueError
            Its file is damaged.
        """
        held = self._texts(layer, head)
        strongest = sorted(held, key=lambda each: -float(each.get("max_activation") or 0.0))
        return tuple(int(each["sequence_id"]) for each in strongest)

    def edges(self, layer: int, head: int, *, sequence: int) -> xr.Dataset:
        """Return where the queries of one text look in one head, as `dva_lens.edges` does.

        What a tree does not hold is NaN: the share of the output, and what single keys receive
        without being listed. `rest` is what listed weights leave of one, and every query is
        taken to see itself and what is before it.

        Raises
        ------
        FileNotFoundError
            The tree holds no such head.
        ValueError
            The text was not sampled for the head, or its weights are damaged.
        """
        held = self._texts(layer, head)
        found = next((each for each in held if each["sequence_id"] == sequence), None)
        if found is None:
            numbers = ", ".join(str(each) for each in self.sequences(layer, head)[:20])
            raise ValueError(
                f"Text {sequence} was not sampled for layer {layer}, head {head}; there are: "
                f"{numbers}."
            )
        about = {"model": self.model, "layer": layer, "head": head, "sequence": sequence}
        return _edges_of(found, f"{_head_file(layer, head)} of {self.folder}").assign_attrs(about)

    def _texts(self, layer: int, head: int) -> list[dict[str, Any]]:
        path = self.folder / HEADS / _head_file(layer, head)
        if not path.is_file():
            raise FileNotFoundError(f"{self.folder} holds no layer {layer}, head {head}.")
        held = _json(path, dict).get("sequences")
        fields = {"sequence_id", "tokens", "attention_indices", "attention_values"}
        if not isinstance(held, list) or any(
            not isinstance(each, dict)
            or not fields <= set(each)
            or not isinstance(each["sequence_id"], int)
            or not isinstance(each["tokens"], list)
            for each in held
        ):
            raise ValueError(f"{path} must hold sequences with {', '.join(sorted(fields))}.")
        return held


def read_headvis(folder: Path | str) -> HeadVisTree:
    """Open a tree of HeadVis, such as its pipelines and `dva-lens export --format headvis` write.

    Raises
    ------
    FileNotFoundError
        The folder is none, or lacks one of its files.
    ValueError
        A file is damaged; the message names it.

    Examples
    --------
    >>> import dva_lens as lens
    >>> tree = lens.read_headvis("exports/gemma-3-1b/headvis/pile")  # doctest: +SKIP
    >>> tree.metrics["induction_score"]  # doctest: +SKIP
    >>> lens.show(tree, layer=5, head=1)  # doctest: +SKIP
    """
    place = Path(folder)
    config = _json(place / CONFIG, dict)
    rows = _json(place / SCATTER, list)
    places = [_place_of(row, place / SCATTER) for row in rows]
    if not places:
        raise ValueError(f"{place / SCATTER} must hold a row per head, and holds none.")
    shape = tuple(1 + max(at) for at in zip(*places, strict=True))
    words = config.get("metric_descriptions")
    words = words if isinstance(words, dict) else {}
    names = dict.fromkeys(name for row in rows for name in row if name not in ("layer", "head"))
    found: dict[str, Any] = {}
    for name in names:
        values = np.full(shape, np.nan)
        for at, row in zip(places, rows, strict=True):
            values[at] = _number(row.get(name), f"{name} in {place / SCATTER}")
        found[name] = ((axes.LAYER, axes.HEAD), values, {"long_name": str(words.get(name, name))})
    coords = {axes.LAYER: range(shape[0]), axes.HEAD: range(shape[1])}
    return HeadVisTree(place, config, xr.Dataset(found, coords))


def _edges_of(text: Mapping[str, Any], name: str) -> xr.Dataset:
    tokens = [str(token) for token in text["tokens"]]
    length = len(tokens)
    try:
        place = np.asarray(text["attention_indices"], dtype=np.int64)
        weight = np.asarray(text["attention_values"], dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must hold numbers as attention, got {error}.") from error
    inside = place.ndim == 1 and place.shape == weight.shape and length > 0
    if not inside or (place.size and not 0 <= place.min() <= place.max() < length * length):
        raise ValueError(
            f"{name} must hold as many places as weights, each query * {length} + key below "
            f"{length * length}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(f"{name} must hold weights of 0 and above.")
    query, key = np.divmod(place, length)
    counts = np.bincount(query, minlength=length)
    shape = (length, max(1, int(counts.max(initial=1))))
    if len(np.unique(place)) < len(place) or shape[0] * shape[1] > MOST_EDGES:
        raise ValueError(f"{name} must hold every pair once, and at most {MOST_EDGES:,} edges.")
    order = np.lexsort((-weight, query))
    query, key, weight = query[order], key[order], weight[order]
    rank = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys, weights = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    keys[query, rank], weights[query, rank] = key, weight
    by_query, edge = (axes.QUERY,), (axes.QUERY, axes.RANK)
    return xr.Dataset(
        {
            "key": (edge, keys),
            "weight": (edge, weights),
            "share": (edge, np.full(shape, np.nan, np.float32)),
            "rest": (by_query, np.maximum(0, 1 - weights.sum(-1))),
            "rest_by_key": ((POSITION,), np.full(length, np.nan, np.float32)),
            "visible": (by_query, np.arange(1, length + 1)),
            TOKEN: ((POSITION,), np.array(tokens, dtype=object)),
        },
        {axes.QUERY: range(length), POSITION: range(length)},
    )


def _place_of(row: Any, path: Path) -> tuple[int, int]:
    at = (row.get("layer"), row.get("head")) if isinstance(row, dict) else (None, None)
    if not all(isinstance(each, int) and 0 <= each < MOST_HEADS for each in at):
        raise ValueError(f"{path} must hold rows with a layer and a head, got {str(row)[:80]}.")
    return at  # pyright: ignore[reportReturnType] - checked above


def _number(value: Any, name: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number or null, got {str(value)[:80]!r}.")  # noqa: TRY004
    return float(value)


def _head_file(layer: int, head: int) -> str:
    return f"L{layer}H{head}.json"


def _json(path: Path, kind: type) -> Any:
    try:
        found = json.loads(read_text(path, limit=LARGEST))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, kind):
        what = "an object" if kind is dict else "a list"
        raise ValueError(f"{path} must hold {what}, got {type(found).__name__}.")  # noqa: TRY004
    return found
