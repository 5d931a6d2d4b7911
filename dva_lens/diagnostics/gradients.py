"""What the loss asks of values: the size of its gradient on the value of every key."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor

from dva_lens import axes
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.models.decoder import Decoder
from dva_lens.recording.fidelity import evaluating

HOOK = "blocks.{}.attn.mix.hook_v"
ABOUT = {
    "long_name": "Gradient on values",
    "units": "nat per unit of value",
    "meaning": "norm of the gradient of a sequence's mean loss on the value of each key",
    "source": "value-path gradients, as in arXiv 2603.17771",
}


def value_gradients(
    model: Any,
    text_or_tokens: Any,
    *,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Return how strongly the loss of a text pulls at the value of every key.

    The value is what attention multiplies, after mixing with first-layer or shared values; for
    values of pairs it is the key's operand. Each layer is asked for its own use of a value, so
    a value that later layers share is counted once per layer.

    Parameters
    ----------
    model : Decoder
        A model of this package; its weights and their gradients are left as they are.
    text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        `value_gradient` over layer, kv_head, sequence and key, NaN beyond the end of a sequence.

    Raises
    ------
    TypeError
        `model` is not a model of this package.
    ValueError
        No layer of the model attends.
    """
    if not isinstance(model, Decoder):
        raise TypeError(
            f"Gradients on values can be had of models of this package, got a "
            f"{type(model).__name__}."
        )
    if not model.attentions:
        raise ValueError("No layer of this model attends, so there are no values to pull at.")
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    with evaluating(model), torch.enable_grad():
        norms = [_norms(model, row) for row in found.rows()]
    layers, heads = norms[0].shape[:2]
    values = np.full((layers, heads, len(norms), int(found.sequences.lengths.max())), np.nan)
    for sequence, each in enumerate(norms):
        values[:, :, sequence, : each.shape[-1]] = each
    dims = (axes.LAYER, axes.KV_HEAD, axes.SEQUENCE, axes.KEY)
    places = {
        **found.coordinates,
        **{name: np.arange(size) for name, size in zip(dims, values.shape, strict=True)},
    }
    return xr.Dataset(
        {"value_gradient": (dims, values, ABOUT)},
        coords=places,
        attrs={"model": found.adapter.name},
    )


def _norms(model: Decoder, tokens: Int[np.ndarray, "1 position"]) -> np.ndarray:
    """Return the norms of one sequence as (layer, kv_head, key)."""
    used: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        def hook(value: Tensor, hook: Any) -> Tensor:
            del hook
            used[layer] = value.clone().requires_grad_()
            return used[layer]

        return hook

    hooks: list[Any] = [(HOOK.format(layer), keep(layer)) for layer in model.attentions]
    ids = torch.as_tensor(tokens, device=next(model.parameters()).device)
    loss = model.run_with_hooks(ids, return_type="loss", fwd_hooks=hooks)
    gradients = torch.autograd.grad(loss, [used[layer] for layer in sorted(used)])
    sizes = [each[0].flatten(2).norm(dim=-1).T.cpu().numpy() for each in gradients]
    norms = np.full((len(model.blocks), *sizes[0].shape), np.nan)
    norms[sorted(used)] = sizes
    return norms
