"""Effects of an intervention as labelled data, each with its control and its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from dva_lens import axes
from dva_lens.diagnostics.interventions.document import AS_IS, BOUND, CHANGED
from dva_lens.diagnostics.interventions.passes import Outcome, joined
from dva_lens.measuring.dataset import assembled
from dva_lens.measuring.prepare import Prepared
from dva_lens.results.collect import collect
from dva_lens.results.pairing import paired_along
from dva_lens.results.reader import Measurements
from dva_lens.statistics.inference.contrasts import text_contrast
from dva_lens.statistics.inference.text_interval import ratio, sums
from dva_lens.statistics.statistic import Statistic

INTERVENTION, CONTROL, DIFFERENCE = CHANGED
ABOUT = {
    "loss": ("nat", "next-token loss minus that of the model as it is"),
    "divergence": ("nat", "KL divergence of the next-token distribution from the one as it is"),
    "logits": ("logit", "largest change of a logit beside the mean change of all at its token"),
}
PerToken = Float[np.ndarray, "sequence position"]
Changes = Float[np.ndarray, "changed sequence position"]


def effects(
    found: Prepared, plain: Outcome, changed: Outcome, controls: Sequence[Outcome]
) -> xr.Dataset:
    """Return losses, and what changes of them and of the logits: by token, and on average."""
    loss = joined(plain.loss)
    moved = {name: _of_each(name, loss, changed, controls) for name in ABOUT}
    words = np.full(loss.shape, "", dtype=object)
    for row in range(len(words)):
        own = found.words(row)
        words[row, : len(own)] = own
    by_token = (axes.SEQUENCE, "position")
    data: dict[str, object] = {
        "token": (by_token, words, {"meaning": "the text, token by token"}),
        "loss": (by_token, loss, {"units": "nat", "meaning": "loss of predicting the next token"}),
    }
    for name, changes in moved.items():
        units, meaning = ABOUT[name]
        about = {"units": units, "meaning": meaning}
        data[f"{name}_change"] = (("changed", *by_token), changes, about)
    return xr.Dataset(data, coords={**found.coordinates, "changed": list(CHANGED)}).assign(
        _averages(moved, found.sequences.documents)
    )


def statistics_effects(
    found: Prepared,
    statistics: Sequence[Statistic],
    outcomes: Mapping[str, Sequence[Outcome]],
) -> xr.Dataset:
    """Return statistics as they are, and what changes of each, by layer and head.

    `outcomes` has those of the model as it is, of the intervention and of all controls, by name.
    What no layer has is left out.
    """
    sequences = found.sequences
    named = {"documents": sequences.documents, "hashes": sequences.hashes}
    measured = collect(
        {
            name: [assembled(one.parts, statistics, attrs={}, **named) for one in some]
            for name, some in outcomes.items()
        }
    )
    data = [_of_statistic(measured, statistic.name) for statistic in statistics]
    return xr.merge([each for each in data if each is not None], join="outer", compat="override")


def _of_each(name: str, loss: PerToken, changed: Outcome, controls: Sequence[Outcome]) -> Changes:
    """Return the changes of a quantity by the intervention, by the mean control, and apart."""

    def moved(outcome: Outcome) -> PerToken:
        return joined(outcome.loss) - loss if name == "loss" else joined(getattr(outcome, name))

    ours, theirs = moved(changed), np.mean([moved(each) for each in controls], axis=0)
    return np.stack([ours, theirs, ours - theirs])


def _averages(moved: Mapping[str, Changes], documents: Sequence[str]) -> dict[str, xr.DataArray]:
    """Return the mean of every quantity over tokens, with the bounds of its interval."""
    totals, counts = [], []
    for changes in moved.values():
        total, _ = sums(np.nansum(changes, axis=-1))
        totals.append(total)
        counts.append(np.isfinite(changes).sum(-1, dtype=np.float64))
    top, bottom = (np.moveaxis(np.stack(each), -1, 0) for each in (totals, counts))
    interval = ratio(top, bottom, documents)
    units = {name: units for name, (units, _) in ABOUT.items()}
    dims, places = ("quantity", "changed"), {"quantity": list(moved), "changed": list(CHANGED)}
    found = {"effect": interval.mean, "effect_low": interval.low, "effect_high": interval.high}
    about = {"note": interval.note, "units": str(units)}
    return {
        name: xr.DataArray(values, dims=dims, coords=places, attrs=about)
        for name, values in found.items()
    }


def _of_statistic(measured: Measurements, name: str) -> xr.Dataset | None:
    values = measured.values(name)
    along = [dim for dim in (axes.LAYER, axes.HEAD, axes.KV_HEAD) if dim in values.dims]
    if not bool(values.sel({axes.MODEL: AS_IS}).notnull().any()):
        return None
    pairs = paired_along(values, along)
    models, shape = pairs.models, tuple(values.sizes[dim] for dim in along)
    bounds = []
    for ours, theirs in ((INTERVENTION, AS_IS), (CONTROL, AS_IS), (INTERVENTION, CONTROL)):
        one = text_contrast(models[ours], models[theirs], pairs.documents, weights=pairs.weights)
        bounds.append([each.reshape(shape) for each in (one.mean, one.low, one.high)])
    as_is = measured.estimate(name, along)["value"].sel({axes.MODEL: AS_IS}, drop=True)
    about = {key: values.attrs[key] for key in ("long_name", "units", "meaning")}
    places = {"changed": list(CHANGED), "bound": list(BOUND)}
    return xr.Dataset(
        {
            name: as_is.assign_attrs(about),
            f"{name}_change": (("changed", "bound", *along), np.array(bounds), about),
        },
        coords={**{dim: values[dim].values for dim in along}, **places},
    )
