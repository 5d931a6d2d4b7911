"""Whether attention could collapse: the entropy that the weights of a model allow on a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int

from dva_lens import axes
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.models.decoder import Decoder
from dva_lens.recording.fidelity import evaluating
from dva_lens.statistics.extended.bound import lowest_entropy, score_sigma

ABOUT = {
    "score_sigma": {
        "units": "1",
        "meaning": "norm of the query-key weights of a head times that of its inputs, squared",
    },
    "entropy_bound": {
        "units": "nat",
        "meaning": "entropy that no row over all keys of the sequence can fall below",
    },
}


def collapse_bound(
    model: Any,
    text_or_tokens: Any,
    *,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Return the bound of Zhai et al. 2023 (arXiv 2303.06296), theorem 3.1, for every head.

    It follows from the spectral norms of weights and inputs alone, and falls fast as either
    grows: a bound near 0 says that collapse is possible, not that it happens. The statistic
    `entropy_floor` is the same bound from the scores that each row really has.

    Parameters
    ----------
    model : Decoder
        A model of this package whose weights are a softmax.
    text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.

    Returns
    -------
    xarray.Dataset
        `score_sigma` and `entropy_bound` over layer, head and sequence.

    Raises
    ------
    TypeError
        `model` is not a model of this package.
    """
    if not isinstance(model, Decoder):
        raise TypeError(
            f"The bound needs query and key weights as models of this package hold them, got a "
            f"{type(model).__name__}; the statistic `entropy_floor` needs none."
        )
    _check(model)
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    with torch.no_grad(), evaluating(model):
        sigma = np.stack([_sigmas(model, row) for row in found.rows()], axis=-1)
    bound = lowest_entropy(sigma, found.sequences.lengths)
    dims = (axes.LAYER, axes.HEAD, axes.SEQUENCE)
    places = {
        **found.coordinates,
        axes.LAYER: np.arange(sigma.shape[0]),
        axes.HEAD: np.arange(sigma.shape[1]),
    }
    numbers = {"score_sigma": sigma, "entropy_bound": bound}
    data = {name: (dims, values, ABOUT[name]) for name, values in numbers.items()}
    return xr.Dataset(data, coords=places, attrs={"model": found.adapter.name})


def _check(model: Decoder) -> None:
    for layer, block in enumerate(model.blocks):
        if block.attn is None:
            raise ValueError(
                f"The bound is about weights of attention; layer {layer} does not attend."
            )
        _check_rule(layer, block.attn)
        _check_maps(layer, block.attn)


def _check_rule(layer: int, attention: Any) -> None:
    rule = attention.rule(None)
    beside = {
        "another similarity": rule.similarity != "exponential",
        "distance": rule.decay is not None or attention.terms is not None,
        "the block of a key": attention.past is not None,
        "what other heads think": attention.composed is not None,
    }
    taking_part = [name for name, takes in beside.items() if takes]
    if taking_part:
        raise ValueError(
            f"The bound is about exponentials of scores of queries and keys alone; in layer "
            f"{layer} {taking_part[0]} takes part."
        )
    if rule.normaliser != "softmax" or rule.sink is not None:
        raise ValueError(
            f"The bound is about softmax over the keys alone; layer {layer} has "
            f"{'a sink' if rule.sink is not None else rule.normaliser + ' weights'}."
        )
    if attention.visible is not None:
        raise ValueError(
            f"The bound is about rows over all keys of a text; queries of layer {layer} see a "
            f"part of them."
        )


def _check_maps(layer: int, attention: Any) -> None:
    if attention.reads != "stream":
        raise ValueError(
            f"The bound is about queries and keys of one stream; those of layer {layer} are "
            f"read from {attention.reads}."
        )
    if attention.key is None:
        raise ValueError(
            f"Layer {layer} takes its keys from another layer, and the bound needs both "
            f"weights at one input."
        )
    if attention.phases is not None:
        raise ValueError(
            f"The bound is about linear maps to queries and keys; layer {layer} scales and shifts "
            f"the phases of theirs."
        )
    if not hasattr(attention.key, "weight"):
        raise ValueError(
            f"The bound is about linear maps to queries and keys; those of layer {layer} are "
            f"looked up in tables."
        )


def _sigmas(
    model: Decoder, tokens: Int[np.ndarray, "1 position"]
) -> Float[np.ndarray, "layer head"]:
    inputs: dict[int, np.ndarray] = {}

    def keep(layer: int) -> Any:
        def hook(module: Any, given: Any) -> None:
            read = given[0].query[0, :, : module.channels_read]
            inputs[layer] = read.double().cpu().numpy()

        return hook

    hooks = [
        block.attn.register_forward_pre_hook(keep(layer))
        for layer, block in enumerate(model.blocks)
    ]
    try:
        model(torch.as_tensor(tokens, device=next(model.parameters()).device), return_type=None)
    finally:
        for hook in hooks:
            hook.remove()
    return np.array([_of_layer(model, layer, states) for layer, states in inputs.items()])


def _of_layer(model: Decoder, layer: int, states: np.ndarray) -> list[float]:
    """Return the sigma of every head; shifts of queries and keys are weights of a constant."""
    attention: Any = model.blocks[layer].attn
    maps = (attention.query, attention.heads), (attention.key, attention.kv_heads)
    shifted = any(linear.bias is not None for linear, _ in maps)
    queries, keys = (_per_head(linear, heads, shifted=shifted) for linear, heads in maps)
    keys = keys.repeat(len(queries) // len(keys), axis=0)
    scale, rotary = attention.rule(None).scale, attention.rotation is not None
    if shifted:
        states = np.column_stack([states, np.ones(len(states))])
    return [
        score_sigma(states, query, key, scale, rotary=rotary)
        for query, key in zip(queries, keys, strict=True)
    ]


def _per_head(
    linear: Any, heads: int, *, shifted: bool
) -> Float[np.ndarray, "any_head channel width"]:
    weight = linear.weight.double()
    if shifted:
        shift = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.double()
        weight = torch.cat([weight, shift[:, None]], dim=1)
    return weight.unflatten(0, (heads, -1)).mT.detach().cpu().numpy()
