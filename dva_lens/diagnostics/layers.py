"""How alike the layers of a model are, and where what they mix came from: between layers.

What belongs to two layers, or to all layers up to one, cannot be a number of one layer. Patterns
of all layers are compared row by row, a few rows at a time; no pattern is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int

from dva_lens import axes
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.records import RowTile
from dva_lens.sites import GEOMETRY, TILES, Site
from dva_lens.statistics.extended.rollout import Carried, rollout_step
from dva_lens.statistics.extended.similarity import PatternGram, cka_between

OTHER = "other_layer"
FOLLOWED = "followed"
POSITIONS = 512


@final
class _Held:
    """A reader that reads nothing yet: it holds the rows still to be formed, and some states."""

    def __init__(self) -> None:
        self.rows: list[Iterable[RowTile]] = []
        self.states: list[np.ndarray] = []

    def tiles(
        self, sequences: Iterable[tuple[int, Iterable[RowTile]]]
    ) -> Mapping[str, np.ndarray]:
        self.rows += [rows for _, rows in sequences]
        return {}

    def geometry(
        self, clouds: Iterable[Float[np.ndarray, "_ channel"]]
    ) -> Mapping[str, np.ndarray]:
        self.states += [states[_spread(len(states))] for states in clouds]
        return {}


@final
class _Rollout:
    """A reader that carries the shares of followed inputs from layer to layer."""

    def __init__(self, start: Float[np.ndarray, "position followed"]) -> None:
        self.carried = Carried.of(start)
        self.after: list[Carried] = []

    def tiles(
        self, sequences: Iterable[tuple[int, Iterable[RowTile]]]
    ) -> Mapping[str, np.ndarray]:
        for _, rows in sequences:
            self.carried = rollout_step(rows, self.carried)
            self.after.append(self.carried)
        return {}

    def geometry(
        self, clouds: Iterable[Float[np.ndarray, "_ channel"]]
    ) -> Mapping[str, np.ndarray]:
        del clouds
        return {}


def layer_similarity(
    model: Any,
    text_or_tokens: Any,
    *,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Run a model over a text and compare all of its layers with each other.

    Parameters
    ----------
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        Over `layer`, `other_layer` and `sequence`: `pattern_similarity`, the cosine between the
        patterns of two layers head by head (its value for a layer against uniform attention is
        the statistic `uniform_similarity`), NaN where heads differ in number; and `cka`, the
        unbiased linear CKA of the residual streams after them, on up to 512 evenly spaced
        positions.

    Raises
    ------
    TypeError
        If the model cannot be recorded, a layer hands over no rows of its pattern, or the input
        is neither text nor tokens.
    ValueError
        If the input is empty, too short or too long.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> found = layer_similarity(model, "To be, or not to be, that is the question.")
    >>> found["cka"].dims
    ('sequence', 'layer', 'other_layer')
    """
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    patterns, states = [], []
    for tokens in found.rows():
        held = _Held()
        _pass(found, tokens, (TILES, GEOMETRY), held)
        patterns.append(_cosines(held.rows))
        states.append(cka_between(held.states))
    dims = (axes.SEQUENCE, axes.LAYER, OTHER)
    about = {
        "pattern_similarity": "cosine between the patterns of two layers, head by head",
        "cka": "unbiased linear CKA between the residual streams after two layers",
    }
    each = {"pattern_similarity": np.stack(patterns), "cka": np.stack(states)}
    data = {name: (dims, values, {"meaning": about[name]}) for name, values in each.items()}
    depth = np.arange(found.adapter.depth)
    places = {**found.coordinates, axes.LAYER: depth, OTHER: depth}
    return xr.Dataset(data, coords=places, attrs={"model": found.adapter.name})


def rollout(
    model: Any,
    text_or_tokens: Any,
    *,
    inputs: Sequence[int] = (0,),
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Follow inputs through the layers by attention rollout (Abnar & Zuidema 2020, 2005.00928).

    Each layer mixes a position with what it attends to, half and half, heads averaged first.
    Values and feed-forward networks are left out of it, and with causal attention everything
    flows to the first token: read it against the reference.

    Parameters
    ----------
    inputs : positions
        Which inputs to follow.
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        `rollout`, the share of each followed input after each layer, averaged over the positions
        from that input on, and `rollout_reference`, the same with even weights over the keys
        that each layer lets a query see.

    Raises
    ------
    TypeError
        If the model cannot be recorded, a layer hands over no rows of its pattern, or the input
        is neither text nor tokens.
    ValueError
        If `inputs` names no position, or one outside a sequence; or if the input is empty, too
        short or too long.
    """
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    shares, references = [], []
    for tokens in found.rows():
        start = _start(tokens.shape[1], inputs)
        reader = _Rollout(start)
        _pass(found, tokens, (TILES,), reader)
        shares.append([_later(after.attended, inputs) for after in reader.after])
        references.append([_later(after.uniform, inputs) for after in reader.after])
    dims = (axes.SEQUENCE, axes.LAYER, FOLLOWED)
    about = {"meaning": "share of an input after a layer, by rollout", "units": "1"}
    data = {
        "rollout": (dims, np.array(shares), about),
        "rollout_reference": (dims, np.array(references), about),
    }
    places = {
        **found.coordinates,
        axes.LAYER: np.arange(found.adapter.depth),
        FOLLOWED: np.array(inputs),
    }
    return xr.Dataset(data, coords=places, attrs={"model": found.adapter.name})


def _pass(
    found: Prepared,
    tokens: Int[np.ndarray, "1 position"],
    sites: Sequence[Site[object]],
    reader: Any,
) -> None:
    options = RecordOptions(tuple(sites), reader=reader)
    seen = record_pass(found.adapter, tokens, None, options)
    for number, layer in enumerate(seen.layers):
        for site in sites:
            if getattr(layer, site.name) is None:
                reason = layer.why_not.get(site.name, "this kind of model does not hand them over")
                raise TypeError(f"Layer {number} has no {site.name} to compare: {reason}.")


@torch.no_grad()
def _cosines(layers: Sequence[Iterable[RowTile]]) -> Float[np.ndarray, "layer layer"]:
    """Return the cosines between layers from equal rows of each, a tile at a time."""
    state: PatternGram | None = None
    for tiles in zip(*layers, strict=True):
        if any(tile.weights.shape != tiles[0].weights.shape for tile in tiles):
            return np.full((len(layers), len(layers)), np.nan)
        found = PatternGram.of(np.stack([tile.weights for tile in tiles]))
        state = found if state is None else state.merge(found)
    return np.empty((0, 0)) if state is None else state.summary()


def _spread(length: int) -> Int[np.ndarray, "_"]:
    return np.unique(np.linspace(0, length - 1, min(length, POSITIONS)).astype(np.int64))


def _start(length: int, inputs: Sequence[int]) -> Float[np.ndarray, "position followed"]:
    outside = [place for place in inputs if not 0 <= place < length]
    if outside or not inputs:
        raise ValueError(
            f"inputs must name positions from 0 to {length - 1} of every sequence, got "
            f"{outside or 'none'}."
        )
    return np.eye(length)[:, list(inputs)]


def _later(carried: np.ndarray, inputs: Sequence[int]) -> list[float]:
    return [float(carried[place:, column].mean()) for column, place in enumerate(inputs)]
