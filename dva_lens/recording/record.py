"""One recorded forward pass of any model: a record, and how faithful it was."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from dva_lens.models.bridge import is_bridge
from dva_lens.models.decoder import Decoder
from dva_lens.recording.adapters import bridge, decoder, huggingface
from dva_lens.recording.adapters.adapter import Source
from dva_lens.recording.fidelity import OwnPass, evaluating
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import next_token_loss
from dva_lens.recording.recorder import Recorder
from dva_lens.records import Reader, Record
from dva_lens.sites import LOSS, SITES, Site


def source_of(model: object) -> Source:
    """Return how a model is recorded, or say what kinds of models there are."""
    if isinstance(model, Decoder):
        return decoder
    if isinstance(model, PreTrainedModel):
        return huggingface
    if is_bridge(model):
        return bridge
    raise TypeError(
        f"A {type(model).__name__} cannot be recorded; pass a model of this package, or a "
        f"transformers PreTrainedModel (`dva_lens.load` returns either)."
    )


def attach(
    model: nn.Module, sites: Iterable[Site[object]] = tuple(SITES.values()), backend: str = "auto"
) -> AbstractContextManager[Recorder]:
    """Watch a model: in the context its attentions are recorded, and it is restored after."""
    return source_of(model).attach(model, sites, backend)


@torch.no_grad()
def record(  # noqa: PLR0913  (what is recorded, how, and for whom are told apart)
    model: nn.Module,
    tokens: Int[np.ndarray, "sequence position"] | Float[np.ndarray, "image channel row column"],
    lengths: Int[np.ndarray, "sequence"] | None = None,
    *,
    sites: Iterable[Site[object]] = tuple(SITES.values()),
    backend: str = "auto",
    fidelity: bool = True,
    reader: Reader | None = None,
) -> Record:
    """Run a model once over sequences padded on the right, and return what was seen.

    With `fidelity` the model also runs with its own attention, and the provenance says how far
    apart the two came: the largest difference of outputs, and the difference of mean losses. A
    `reader` turns rows of the pattern and states into numbers on the way.
    """
    source, sites = source_of(model), tuple(sites)
    batch = torch.as_tensor(tokens).to(next(model.parameters()).device)
    if lengths is None:
        lengths = np.full(len(batch), batch.shape[1])
    counts = torch.as_tensor(np.asarray(lengths)).to(batch.device)
    targets = batch if LOSS in sites and source.predicts(model) else None
    with evaluating(model):
        before = None
        if fidelity:
            before = OwnPass.of(
                source.forward(model, batch, counts), targets, counts.cpu().numpy()
            )
        with source.attach(model, sites, backend) as recorder:
            recorder.layout = Layout.plain(counts, batch.shape[1])
            recorder.reader = reader
            recorder.tokens = None if batch.is_floating_point() else batch.cpu().numpy()
            output = source.forward(model, batch, counts)
            seen = counts.cpu().numpy() if recorder.layout is None else recorder.lengths
            source.missed(model, recorder)
            layers = recorder.take(source.depth(model))
    loss = None if targets is None else next_token_loss(output, targets, seen)
    facts = _facts(model, source, recorder)
    if before is not None:
        facts |= before.against(output, loss, seen)
    return Record(_tokens(batch, seen), seen, layers, loss, facts)


def _facts(
    model: nn.Module, source: Source, recorder: Recorder
) -> dict[str, str | int | float | bool]:
    return {
        "backend": recorder.backend,
        "own_attention": source.implementation(model),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "device": next(model.parameters()).device.type,
        "fidelity_rows": recorder.residual,
    }


def _tokens(
    batch: Tensor, lengths: Int[np.ndarray, "sequence"]
) -> Int[np.ndarray, "sequence position"]:
    """Return the tokens, -1 in padding; images have patches instead, numbered from 0."""
    place = np.arange(int(lengths.max()) if batch.is_floating_point() else batch.shape[1])
    found = np.broadcast_to(place, (len(lengths), len(place)))
    if not batch.is_floating_point():
        found = batch.cpu().numpy()
    return np.where(place < lengths[:, None], found, -1)
