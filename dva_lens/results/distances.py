"""How far heads look: the weight on keys by how many tokens back they are, from kept edges."""

# Strict but for what xarray leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.edges import has_edges
from dva_lens.results.groups import read
from dva_lens.results.schema import EDGE_KEY, EDGE_REST, EDGE_VISIBLE, EDGE_WEIGHT, ArchiveError

STARTS = (0, 1, 2, 4, 8, 16, 32, 64)
BINS = ("itself", "1", "2–3", "4–7", "8–15", "16–31", "32–63", "64 or more", "ahead", "not listed")
"""Tokens back, and what is on keys ahead or on keys that are not listed."""


@final
@dataclass(frozen=True)
class DistanceProfile:
    """One training: the weight in each bin over (layer, head, bin), and that of even attention."""

    model: str
    seed: int
    weight: np.ndarray
    uniform: np.ndarray


def distances(archive: Archive, text: str) -> tuple[DistanceProfile, ...]:
    """Return how far the heads look of every training that keeps edges on a text."""
    found: list[DistanceProfile] = []
    for run in archive.runs:
        if text not in archive.texts_of(run):
            continue
        try:
            data = archive.dataset(run, text)
            if not has_edges(data):
                continue
            kept = read(data[[EDGE_KEY, EDGE_WEIGHT, EDGE_REST, EDGE_VISIBLE]], run.label)
        except ArchiveError:
            continue
        found.append(DistanceProfile(run.model, run.seed, by_distance(kept), _uniform(kept)))
    return tuple(found)


def by_distance(data: xr.Dataset) -> np.ndarray:
    """Return the mean weight over (layer, head, bin), of queries that see many keys."""
    key, weight = (data[name].values for name in (EDGE_KEY, EDGE_WEIGHT))
    rest, many = data[EDGE_REST].values, data[EDGE_VISIBLE].values >= axes.MANY_KEYS
    layers, heads = key.shape[:2]
    counted = np.broadcast_to(many[:, None], rest.shape)
    back = np.arange(key.shape[-2])[:, None] - key.astype(int)
    place = np.where(back < 0, len(STARTS), np.searchsorted(STARTS, back, side="right") - 1)
    listed = (key >= 0) & counted[..., None]
    sums = np.zeros((layers, heads, len(BINS)))
    where = np.broadcast_to(np.indices((layers, heads))[..., None, None, None], (2, *key.shape))
    np.add.at(sums, (where[0][listed], where[1][listed], place[listed]), weight[listed])
    sums[..., -1] = np.where(counted, np.nan_to_num(rest), 0.0).sum((2, 3))
    queries = np.maximum(counted.sum((2, 3)), 1)
    return sums / queries[..., None]


def _uniform(data: xr.Dataset) -> np.ndarray:
    """Return what even causal attention gives each bin, over the same queries."""
    visible = data[EDGE_VISIBLE].values[0]
    many = np.unique(visible[visible >= axes.MANY_KEYS], return_counts=True)
    total = np.zeros(len(BINS))
    for keys, often in zip(*many, strict=True):
        place = np.searchsorted(STARTS, np.arange(keys), side="right") - 1
        total += often * np.bincount(place, minlength=len(BINS)) / keys
    return total / max(int(many[1].sum()), 1)
