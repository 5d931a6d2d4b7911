"""What a model predicts by paths that pass at most so many of its modules.

A module is an attention or a feed-forward network. The stream of order n adds up what every module
writes when it reads the stream of order n - 1; order 0 is the embedding alone, and once n is the
number of modules, the stream is that of the model. Source: the order of terms of Elhage et al.
2021 (A Mathematical Framework for Transformer Circuits), found by their ablation algorithm with
attention patterns as they are in the model; that feed-forward networks and normalisation act on
the stream of each order, which makes orders a sequence of models and no sum of terms, is ours.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.models.decoder import Decoder
from dva_lens.recording.fidelity import evaluating

ORDER = "order"
MEANINGS = {
    "loss": "next-token loss by paths that pass at most so many modules",
    "logit_share": (
        "signed share <d, z> / |z|^2 that the step to this order adds to the logits z of the "
        "model, both with mean zero over the vocabulary; totals one over orders"
    ),
}
Logits = Float[Tensor, "sequence position vocabulary"]
TOGETHER = 8


def path_lengths(
    model: Any,
    text_or_tokens: Any,
    *,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Return what a model of this package predicts by paths of growing length.

    Costs one forward pass over the text per module, and two more.

    Parameters
    ----------
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        `loss` in nats and `logit_share` over order and sequence; order 0 is what follows from
        each token alone, the last order is the model.

    Raises
    ------
    TypeError
        The model is none of this package.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> found = path_lengths(model, "To be, or not to be, that is the question.")
    >>> found["loss"].dims
    ('order', 'sequence')
    """
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    inner = found.adapter.model
    if not isinstance(inner, Decoder):
        raise TypeError(
            f"{found.adapter.name} is no model of this package, whose modules alone are known; "
            f"pass a checkpoint of a study."
        )
    at_once = found.sequences_per_pass(TOGETHER)
    with torch.no_grad(), evaluating(inner):
        each = [_of_sequences(inner, rows) for rows in _alike(found, at_once)]
    return _labelled(found, each)


def _alike(found: Prepared, at_once: int) -> Iterator[Tensor]:
    """Yield sequences that follow one another and are as long, some at a time."""
    rows: list[np.ndarray] = []
    for row in found.rows():
        if rows and (row.shape != rows[0].shape or len(rows) == at_once):
            yield torch.as_tensor(np.concatenate(rows))
            rows = []
        rows.append(row)
    yield torch.as_tensor(np.concatenate(rows))


def _of_sequences(model: Decoder, tokens: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and share of the logits over (order, sequence)."""
    tokens = tokens.to(next(model.parameters()).device)
    logits = [each.double() for each in _by_order(model, tokens)]
    losses = [
        cross_entropy(each[:, :-1].mT, tokens[:, 1:], reduction="none").mean(-1) for each in logits
    ]
    centred = [each - each.mean(-1, keepdim=True) for each in logits]
    whole = centred[-1]
    power = (whole**2).sum(-1)
    steps = [centred[0], *(after - before for before, after in pairwise(centred))]
    shares = [((step * whole).sum(-1) / power).mean(-1) for step in steps]
    return torch.stack(losses).cpu().numpy(), torch.stack(shares).cpu().numpy()


def _by_order(model: Decoder, tokens: Tensor) -> Iterator[Logits]:
    """Yield the logits of every order, from the embedding alone to the whole model."""
    names = [
        name
        for layer, block in enumerate(model.blocks)
        for name in (f"blocks.{layer}.hook_attn_out", f"blocks.{layer}.hook_mlp_out")
        if block.mlp is not None or name.endswith("attn_out")
    ]
    written: dict[str, Tensor] = {}
    with _patterns_kept(model) as keep:
        model(tokens, return_type=None)
        keep()
        for _ in range(len(names) + 1):
            hooks: list[Any] = [(name, _delayed(written, name)) for name in names]
            yield model.run_with_hooks(tokens, fwd_hooks=hooks)


def _delayed(written: dict[str, Tensor], name: str) -> Callable[..., Tensor]:
    """Return a hook that lets a module write what it wrote a pass before, nothing at first."""

    def hook(now: Tensor, hook: Any) -> Tensor:
        del hook
        before = written.get(name)
        written[name] = now.clone()
        return torch.zeros_like(now) if before is None else before

    return hook


@contextmanager
def _patterns_kept(model: Decoder) -> Iterator[Callable[[], None]]:
    """Let layers attend by the queries and keys of the first pass once they are kept."""
    attentions = model.attentions
    own: dict[int, Attend] = {layer: each.attend for layer, each in attentions.items()}
    seen: dict[int, tuple[Tensor, Tensor]] = {}
    kept: dict[int, tuple[Tensor, Tensor]] = {}

    def attending(layer: int) -> Attend:
        def attend(query: Tensor, key: Tensor, values: Values, weights: Rule) -> Tensor:
            seen[layer] = query, key
            query, key = kept.get(layer, (query, key))
            return own[layer](query, key, values, weights)

        return attend

    for layer, attention in attentions.items():
        attention.attend = attending(layer)
    try:
        yield lambda: kept.update(seen)
    finally:
        for layer, attend in own.items():
            attentions[layer].attend = attend


def _labelled(found: Prepared, each: Sequence[tuple[np.ndarray, np.ndarray]]) -> xr.Dataset:
    columns = zip(MEANINGS, zip(*each, strict=True), strict=True)
    units = {"loss": "nat", "logit_share": "1"}
    data = {
        name: (
            (ORDER, "sequence"),
            np.concatenate(column, axis=-1),
            {"units": units[name], "meaning": MEANINGS[name]},
        )
        for name, column in columns
    }
    orders = np.arange(len(each[0][0]))
    places = {**found.coordinates, ORDER: orders}
    return xr.Dataset(data, coords=places, attrs={"model": found.adapter.name})
