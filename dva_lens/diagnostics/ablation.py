"""What a head is worth: how much worse the model predicts when the head is taken out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from dva_lens import axes
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.measuring.sequences import PaddedBatch
from dva_lens.recording.adapters import Adapter
from dva_lens.recording.fidelity import evaluating
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import next_token_loss
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import SUMMARY

Attended = Float[Tensor, "sequence head query width"]
Edit = Callable[[int, Tensor], Tensor]
REPLACEMENTS = ("zero", "mean")
TOGETHER = 8
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
    _check(found.adapter)
    with _running(found) as run:
        plain, means = _plain(found, run)
        grown = [
            [run.losses(_without(layer, head, mean[head], by=by)) for head in range(len(mean))]
            for layer, mean in means.items()
        ]
    return _labelled(found, grown, plain, by)


@final
@dataclass(frozen=True)
class _WatchedModel:
    """A watched model that answers with the mean loss of every sequence."""

    found: Prepared
    recorder: Recorder
    at_once: int

    def losses(self, edit: Edit | None = None) -> Float[np.ndarray, "sequence"]:
        """Return the mean losses with attention edited."""
        return np.concatenate(
            [self._of(batch, edit) for batch in self.found.sequences.batches(self.at_once)]
        )

    def _of(self, batch: PaddedBatch, edit: Edit | None) -> Float[np.ndarray, "some"]:
        adapter, lengths = self.found.adapter, np.asarray(batch.lengths)
        ids = torch.as_tensor(batch.tokens, device=adapter.device)
        counts = torch.as_tensor(lengths, device=ids.device)
        self.recorder.layout = Layout.plain(counts, ids.shape[1])
        self.recorder.edit = edit
        output = adapter.forward(ids, counts)
        self.recorder.reset()
        losses = next_token_loss(output, ids, lengths)
        return np.asarray(np.nanmean(losses, axis=1, dtype=np.float64))


@contextmanager
def _running(found: Prepared) -> Iterator[_WatchedModel]:
    attached, at_once = found.adapter.attach((SUMMARY,)), found.sequences_per_pass(TOGETHER)
    with torch.no_grad(), evaluating(found.adapter.model), attached as recorder:
        yield _WatchedModel(found, recorder, at_once)


def _check(adapter: Adapter) -> None:
    if adapter.why_not_edited is not None:
        raise TypeError(adapter.why_not_edited)
    if not adapter.predicts_next_token:
        raise TypeError(
            f"{adapter.name} does not predict a next token, so there is no loss that could grow."
        )


def _plain(
    found: Prepared, run: _WatchedModel
) -> tuple[Float[np.ndarray, "sequence"], dict[int, Float[Tensor, "head width"]]]:
    """Return the losses as they are, and what every head attends to on average over positions."""
    totals: dict[int, Tensor] = {}

    def collect(layer: int, attended: Tensor) -> Tensor:
        place = torch.arange(attended.shape[2], device=attended.device)
        real = place < torch.as_tensor(run.recorder.lengths, device=attended.device)[:, None]
        total = attended.double().masked_fill(~real[:, None, :, None], 0.0).sum((0, 2))
        totals[layer] = totals.get(layer, 0) + total
        return attended

    plain, count = run.losses(collect), int(found.sequences.lengths.sum())
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
