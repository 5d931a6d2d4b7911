"""One recorded forward pass of any model: a record, and how faithful it was."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.recording.adapters import Adapter, adapter_of
from dva_lens.recording.edge_plan import EdgePlan
from dva_lens.recording.fidelity import OwnPass, evaluating, say_always
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import next_token_loss
from dva_lens.recording.recorder import Recorder
from dva_lens.records import Fact, PassReader, Record
from dva_lens.sites import LOSS, SITES, Site

Inputs = Int[np.ndarray, "sequence position"] | Float[np.ndarray, "image channel row column"]
Lengths = Int[np.ndarray, "sequence"]


def attach(
    model: nn.Module,
    sites: Iterable[Site[object]] = tuple(SITES.values()),
    backend: str = "auto",
    *,
    part: str | None = None,
) -> AbstractContextManager[Recorder]:
    """Record the attentions of a model that somebody else runs; it is restored afterwards.

    Each forward pass inside the context replaces the record of the one before; `take` hands over
    what the last one left behind. Calls of a model of transformers that continue one cache, as
    those of `generate`, count as one pass over all of their tokens. In each, the attention of
    every layer is compared with the model's own: what the recorder takes to be visible with the
    mask, and some rows of the output with what the model's attention function makes of the same
    queries, keys and values. `recorder.fidelity` says what was compared, and how close it came.

    Parameters
    ----------
    model : model
        A model of this package, of transformers, or a bridge of TransformerLens.
    sites : sites
        What to record; default: everything.
    backend : str
        The kernel that computes attention: "auto", "exact", "blocked", "fused", "reference".
    part : {"encoder", "decoder", "cross"}, optional
        Which part of a model with an encoder and a decoder.

    Raises
    ------
    TypeError
        If no adapter knows the model, or it offers no place to record its attention.
    KeyError
        If a site or the backend is unknown.
    ValueError
        If the weights of the model are on the meta device, or a part of it must be named.
    RuntimeError
        In a pass: if a layer attends otherwise than the model's own attention.

    Examples
    --------
    >>> from dva_lens import load
    >>> from dva_lens.sites import SUMMARY
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> with attach(model, sites=[SUMMARY]) as recorder:
    ...     logits = model(torch.tensor([[5, 7, 11, 3]]))
    ...     layers = recorder.take(model.config.layers)
    >>> layers[0].summary.entropy.shape  # sequence, head, query
    (1, 1, 4)
    """
    return adapter_of(model, part).attach(sites, backend)


@final
@dataclass(frozen=True)
class RecordOptions:
    """What is recorded in a pass, and how: the choices of `record` that bear the same names.

    `compared` says whether the model also runs over a short stretch with its own attention, which
    one pass of a measurement does; the attention of each layer is compared in every pass. `plan`
    says which queries keep their largest edges, where the sites ask for these; default: none.
    """

    sites: tuple[Site[object], ...] = tuple(SITES.values())
    backend: str = "auto"
    compared: bool = True
    reader: PassReader | None = None
    plan: EdgePlan | None = None


def record(  # noqa: PLR0913  (what is recorded, how, and for whom)
    model: nn.Module,
    tokens: Inputs,
    lengths: Lengths | None = None,
    *,
    sites: Iterable[Site[object]] = tuple(SITES.values()),
    backend: str = "auto",
    fidelity: bool = True,
    reader: PassReader | None = None,
) -> Record:
    """Run a model once over sequences padded on the right, and return what was seen.

    Parameters
    ----------
    model : model
        A model of this package, of transformers, or a bridge of TransformerLens.
    tokens : integers (sequence, position), or floats (image, channel, row, column)
        What to run the model over.
    lengths : integers (sequence), optional
        How many positions of each sequence are real; default: all of them.
    sites : sites
        What to record; default: everything.
    backend : str
        The kernel that computes attention: "auto", "exact", "blocked", "fused", "reference".
    fidelity : bool
        Kept for code that passes it: every pass is compared with the model's own attention, and
        the provenance says what was compared and how far apart it came.
    reader : PassReader, optional
        What turns rows of the pattern and states into numbers while the model runs.

    Raises
    ------
    TypeError
        If no adapter knows the model, or one of its layers attends without the recorder.
    KeyError
        If a site or the backend is unknown.
    ValueError
        If the weights of the model are on the meta device.
    NotImplementedError
        If a layer asks for an attention that the recorder does not know.
    RuntimeError
        If a layer attends otherwise than the model's own attention does with the same queries,
        keys and values, or the model puts out something else with its attention recorded.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> found = record(model, np.array([[5, 7, 11], [3, 2, 0]]), np.array([3, 2]))
    >>> found.layers[0].summary.entropy.shape  # sequence, head, query
    (2, 1, 3)
    """
    if not fidelity:
        say_always()
    options = RecordOptions(tuple(sites), backend, reader=reader)
    return record_pass(adapter_of(model), tokens, lengths, options)


@torch.no_grad()
def record_pass(
    adapter: Adapter, tokens: Inputs, lengths: Lengths | None, options: RecordOptions
) -> Record:
    """Run the model of an adapter once; `record` says the rest."""
    batch = torch.as_tensor(tokens).to(adapter.device)
    if lengths is None:
        lengths = np.full(len(batch), batch.shape[1])
    counts = torch.as_tensor(np.asarray(lengths)).to(batch.device)
    has_loss = LOSS in options.sites and adapter.predicts_next_token
    text, ends = adapter.continued(batch, counts.cpu().numpy())
    targets = text if has_loss else None
    with evaluating(adapter.model):
        own = OwnPass.of(adapter, batch, counts) if options.compared else None
        with adapter.attach(options.sites, options.backend) as recorder:
            recorder.layout = Layout.plain(counts, batch.shape[1])
            recorder.reader, recorder.plan = options.reader, options.plan
            recorder.key_tokens = None if adapter.keys is None else adapter.keys.tokens
            recorder.tokens = None if batch.is_floating_point() else batch.cpu().numpy()
            output = adapter.forward(batch, counts)
            seen = counts.cpu().numpy() if recorder.layout is None else recorder.lengths
            adapter.check_attended(recorder)
            layers = recorder.take(adapter.depth)
        facts = _facts(adapter, recorder)
        if own is not None:
            facts |= own.compare(output, recorder)
    loss = None if targets is None else next_token_loss(output, targets, ends)
    return Record(_tokens(batch, seen), seen, layers, loss, facts, adapter.keys)


def _facts(adapter: Adapter, recorder: Recorder) -> dict[str, Fact]:
    return {
        "backend": recorder.backend,
        "own_attention": adapter.own_attention,
        "dtype": adapter.dtype,
        "device": adapter.device.type,
        "fidelity_rows": recorder.residual,
        **recorder.fidelity,
    }


def _tokens(batch: Tensor, lengths: Lengths) -> Int[np.ndarray, "sequence position"]:
    """Return the tokens, -1 in padding; images have patches instead, numbered from 0."""
    place = np.arange(int(lengths.max()) if batch.is_floating_point() else batch.shape[1])
    found = np.broadcast_to(place, (len(lengths), len(place)))
    if not batch.is_floating_point():
        found = batch.cpu().numpy()
    return np.where(place < lengths[:, None], found, -1)
