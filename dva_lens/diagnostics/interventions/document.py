"""What an intervention did, as plain values for whoever reads JSON.

The keys of a document, all of them always there:

- `format`, `version`: "dva-lens intervention" and 1. Later versions of the package may add keys to
  version 1, and neither rename nor remove one.
- `model`, `intervention`, `control`, `draws`, `seed`: what was changed, as `intervention_of` reads
  it, the words for its control, and how many controls were drawn.
- `mass`: `removed` and `removed_by_control`, the mean mass per query that each took, and
  `covered`, the share of the mass on the key that was taken; null where no weight is taken away.
- `layers`: the layers that were changed.
- `effects`: by quantity (`loss`; `divergence` of the next-token distribution; `logits`, the
  largest change of one): `meaning`, `units`, `note` on the interval, the mean `as_is` (null for
  what compares two passes), and one triple for each of CHANGED.
- `statistics`: by statistic: `long_name`, `units`, the names of its `dims`, and nested lists over
  these: `as_is`, and one triple of such lists for each of CHANGED.
- `sequences`: for each, its `document`, its `tokens` as text, the `loss` as it is after every
  token, and by quantity the `changes` of every token for each of CHANGED.

A triple is `mean`, `low` and `high`, the bounds of the 95 % interval over documents. CHANGED are
"intervention", "control", and "difference", the first minus the second. A number that there is
not, such as the loss after the last token, is null.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes

FORMAT, VERSION = "dva-lens intervention", 1
CHANGED = ("intervention", "control", "difference")
AS_IS = "as it is"
BOUND = ("mean", "low", "high")
BOUNDS = dict(zip(BOUND, ("effect", "effect_low", "effect_high"), strict=True))
MASSES = ("removed", "removed_by_control", "covered")


def document_of(found: xr.Dataset) -> dict[str, Any]:
    """Return what `intervene` found as plain values that are JSON."""
    about = found.attrs
    masses = {name: _plain(about[f"mass_{name}"]) for name in MASSES if f"mass_{name}" in about}
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": about["model"],
        "intervention": json.loads(about["intervention"]),
        "layers": [int(layer) for layer in about["layers"]],
        "control": about["control"],
        "draws": int(about["draws"]),
        "seed": int(about["seed"]),
        "mass": masses or None,
        "effects": {name: _effect(found, name) for name in found["quantity"].values.tolist()},
        "statistics": {name: _statistic(found, name) for name in statistics_in(found)},
        "sequences": [_sequence(found, index) for index in range(found.sizes[axes.SEQUENCE])],
    }


def statistics_in(found: xr.Dataset) -> list[str]:
    """Return the names of the statistics that a result follows."""
    names = (str(name) for name, each in found.data_vars.items() if "bound" in each.dims)
    return [name.removesuffix("_change") for name in names]


def _effect(found: xr.Dataset, quantity: str) -> dict[str, Any]:
    one = found.sel(quantity=quantity)
    triples = {
        changed: {
            name: _plain(one[held].sel(changed=changed).item()) for name, held in BOUNDS.items()
        }
        for changed in CHANGED
    }
    about = {
        **{name: found[f"{quantity}_change"].attrs[name] for name in ("meaning", "units")},
        "note": found["effect"].attrs["note"],
        "as_is": _plain(found.attrs["mean_loss"]) if quantity == "loss" else None,
    }
    return about | triples


def _statistic(found: xr.Dataset, name: str) -> dict[str, Any]:
    as_is, change = found[name], found[f"{name}_change"]
    about = {key: as_is.attrs[key] for key in ("long_name", "units", "meaning")}
    triples = {
        changed: {bound: _plain(change.sel(changed=changed, bound=bound)) for bound in BOUND}
        for changed in CHANGED
    }
    return {**about, "dims": list(map(str, as_is.dims)), "as_is": _plain(as_is), **triples}


def _sequence(found: xr.Dataset, index: int) -> dict[str, Any]:
    one = found.isel({axes.SEQUENCE: index})
    held = slice(0, int(one[axes.LENGTH]))
    changes = {
        quantity: {
            changed: _plain(one[f"{quantity}_change"].sel(changed=changed).values[held])
            for changed in CHANGED
        }
        for quantity in found["quantity"].values.tolist()
    }
    return {
        "document": str(one[axes.DOCUMENT].item()),
        "tokens": one["token"].values[held].tolist(),
        "loss": _plain(one["loss"].values[held]),
        "changes": changes,
    }


def _plain(values: Any) -> Any:
    """Return numbers as JSON has them, None where there is none."""
    array = np.asarray(values, dtype=np.float64).astype(object)
    array[~np.isfinite(array.astype(np.float64))] = None
    return array.tolist()
