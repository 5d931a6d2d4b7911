"""One attention of a model as it runs: its queries, keys, values and rule, for a closer look."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.adapters import Adapter
from dva_lens.recording.fidelity import evaluating
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import AttentionCall
from dva_lens.sites import SUMMARY, WRITTEN


@torch.no_grad()
def attention_and_output(
    adapter: Adapter, tokens: Int[np.ndarray, "position"], layer: int
) -> tuple[AttentionCall, Gram | None]:
    """Run a model over one sequence; return what a layer attended with and W_O W_O^T per head.

    The latter is None where the output projection of the layer was not found.

    Raises
    ------
    ValueError
        If there is no such layer.
    TypeError
        If the layer hands over a pattern and not its queries and keys.
    """
    depth = adapter.depth
    if not 0 <= layer < depth:
        raise ValueError(f"layer must be one of 0 to {depth - 1}, got {layer}.")
    batch = torch.as_tensor(tokens).to(adapter.device)[None]
    counts = torch.full((1,), batch.shape[1], device=batch.device)
    heard: dict[int, AttentionCall] = {}
    grams: dict[int, Gram | None] = {}

    def listen(which: int, call: AttentionCall) -> None:
        if which == layer:
            heard[which] = call

    def keep(which: int, gram: Gram | None) -> None:
        if which == layer:
            grams[which] = gram

    with evaluating(adapter.model), adapter.attach((SUMMARY, WRITTEN)) as recorder:
        recorder.layout = Layout.plain(counts, batch.shape[1])
        recorder.listener, recorder.written = listen, keep
        adapter.forward(batch, counts)
    if layer not in heard:
        raise TypeError(
            f"Layer {layer} of {adapter.name} hands over a pattern and not its queries and "
            f"keys, so there is nothing to look closer at; pass the model that is wrapped."
        )
    return heard[layer], grams.get(layer)


def of_heads(call: AttentionCall, heads: Sequence[int]) -> AttentionCall:
    """Return an attention with some of its query heads, each with the keys of its group.

    Raises
    ------
    ValueError
        If there is no such head, or none is named.
    TypeError
        If heads compose their weights, and not all of them are named in their order.
    """
    most = call.query.shape[1]
    check_heads(heads, most)
    if call.weights.composition is not None:
        return _of_all(call, heads)
    chosen = torch.as_tensor(heads, device=call.query.device)
    group = chosen // (most // call.key.shape[1])
    weights, changed = call.weights, {}
    if weights.sink is not None:
        changed["sink"] = weights.sink[chosen]
    if weights.decay is not None:
        rates = tuple(weights.decay.rates[head] for head in heads)
        changed["decay"] = replace(weights.decay, rates=rates)
    for name in ("query_terms", "key_terms"):
        terms = getattr(weights, name)
        if terms is not None:
            changed[name] = terms[:, chosen]
    if weights.text_blocks is not None:
        changed["text_blocks"] = weights.text_blocks.of_heads(chosen)
    if isinstance(weights.bias, Tensor) and weights.bias.shape[1] > 1:
        changed["bias"] = weights.bias[:, chosen]
    return AttentionCall(
        call.query[:, chosen], call.key[:, group], call.values, replace(weights, **changed)
    )


def _of_all(call: AttentionCall, heads: Sequence[int]) -> AttentionCall:
    """Return the attention as it is, of heads of which none attends alone."""
    most = call.query.shape[1]
    if list(heads) != list(range(most)):
        raise TypeError(
            f"The heads of this layer compose their weights, so that none attends alone; ask for "
            f"all {most} of them, got {list(heads)}."
        )
    return call


def check_heads(heads: Sequence[int], most: int) -> None:
    """Refuse heads that a layer of so many lacks, and to name none.

    Raises
    ------
    ValueError
        If there is no such head, or none is named.
    """
    if not heads or any(not 0 <= head < most for head in heads):
        raise ValueError(f"heads must be some of 0 to {most - 1}, got {list(heads)}.")
