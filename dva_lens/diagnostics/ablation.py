"""What a head is worth: how much worse the model predicts when the head is taken out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from dva_lens import axes
from dva_lens.diagnostics.running import Edit, WatchedModel, check_editable, watching
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens

Attended = Float[Tensor, "sequence head query width"]
REPLACEMENTS = ("zero", "mean")
MEANING = (
    "next-token loss with what the head attended replaced by {by}, minus the loss as it is; "
    "positive where the head helps"
)


def head_importance(
    model: Any,
    text_or_tokens: Any,
    *,
    by: str = "zero",
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Take every head out by itself and say how much the loss grows.

    Costs one forward pass over the text per head. Where a layer has one head, its importance is
    that of the whole attention of the layer.

    Parameters
    ----------
    by : {"zero", "mean"}
        What takes the place of a head's output before gates and W_O: nothing, or its mean over
        all positions of the text, which keeps what the head adds whatever it attends to.
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        `head_importance` over layer, head and sequence in nats, and `loss` over sequence.

    Raises
    ------
    ValueError
        `by` is neither "zero" nor "mean".

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> found = head_importance(model, "To be, or not to be, that is the question.", by="mean")
    >>> found["head_importance"].dims
    ('layer', 'head', 'sequence')
    """
    if by not in REPLACEMENTS:
        raise ValueError(f"by must be 'zero' or 'mean', got {by!r}.")
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    check_editable(found.adapter)
    with watching(found) as run:
        plain, means = _plain(found, run)
        grown = [
            [run.mean_losses(_without(layer, head, each, by=by)) for head, each in enumerate(mean)]
            for layer, mean in means.items()
        ]
    return _labelled(found, grown, plain, by)


def _plain(
    found: Prepared, run: WatchedModel
) -> tuple[Float[np.ndarray, "sequence"], dict[int, Float[Tensor, "head width"]]]:
    """Return the losses as they are, and what every head attends to on average over positions."""
    totals: dict[int, Tensor] = {}

    def collect(layer: int, attended: Tensor) -> Tensor:
        place = torch.arange(attended.shape[2], device=attended.device)
        real = place < torch.as_tensor(run.recorder.lengths, device=attended.device)[:, None]
        total = attended.double().masked_fill(~real[:, None, :, None], 0.0).sum((0, 2))
        totals[layer] = totals.get(layer, 0) + total
        return attended

    plain, count = run.mean_losses(collect), int(found.sequences.lengths.sum())
    return plain, {layer: totals[layer] / count for layer in sorted(totals)}


def _without(layer: int, head: int, mean: Float[Tensor, "width"], *, by: str) -> Edit:
    def edit(now: int, attended: Tensor) -> Tensor:
        if now != layer:
            return attended
        changed = attended.clone()
        changed[:, head] = 0.0 if by == "zero" else mean.to(attended.dtype)
        return changed

    return edit


def _labelled(
    found: Prepared, grown: Sequence[Sequence[np.ndarray]], plain: np.ndarray, by: str
) -> xr.Dataset:
    heads = max(len(layer) for layer in grown)
    values = np.full((len(grown), heads, len(plain)), np.nan)
    for row, layer in zip(values, grown, strict=True):
        row[: len(layer)] = np.array(layer) - plain
    about = {"units": "nat", "meaning": MEANING.format(by="its mean" if by == "mean" else "zero")}
    dims = (axes.LAYER, axes.HEAD, axes.SEQUENCE)
    data = {
        "head_importance": (dims, values, about),
        "loss": (axes.SEQUENCE, plain, {"units": "nat", "meaning": "mean next-token loss"}),
    }
    places = {
        **found.coordinates,
        axes.LAYER: np.arange(len(grown)),
        axes.HEAD: np.arange(heads),
    }
    facts = {"model": found.adapter.name, "by": by}
    return xr.Dataset(data, coords=places, attrs=facts)
