"""Sizes of values and of the residual stream: numbers that need no pattern."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.values import CollapsingValues, Static, Values, per_query_head
from dva_lens.sites import StreamNorms, ValueMix, ValueNorms, WrittenNorms

Gram = Float[Tensor, "head width width"]
SAMPLE = 1 << 14


def gram_of(output: Float[Tensor, "head width model"]) -> Gram:
    """Return W_O W_O^T per head, so that norms after W_O need no vector of the model's width."""
    output = accurate(output)
    return output @ output.mT


def accurate(tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return a tensor in at least float32, without its history."""
    tensor = tensor.detach()
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def blank(
    array: Float[Tensor, "sequence *rest position"], lengths: Int[np.ndarray, "sequence"]
) -> Float[np.ndarray, "sequence *rest position"]:
    """Hand over as numpy, NaN at and beyond each length."""
    found = array.detach().cpu().numpy()
    beyond = np.arange(found.shape[-1]) >= lengths[:, None]
    beyond = beyond.reshape(len(lengths), *(1,) * (found.ndim - 2), -1)
    return np.where(beyond, np.array(np.nan, found.dtype), found)


def value_norms(
    values: Values,
    *,
    mean: Float[Tensor, "sequence head key width"] | None,
    lengths: Int[np.ndarray, "sequence"],
) -> ValueNorms:
    """Return sizes of values.

    `mean` is the attention-weighted mean value of each key per query head, for values that
    depend on the query. The size of a group of query heads is then their root mean square.

    Raises
    ------
    ValueError
        If values depend on the query and no mean is passed.
    """
    if isinstance(values, Static):
        return ValueNorms(blank(accurate(values.value).norm(dim=-1), lengths))
    power = accurate(_needed(mean)).square().sum(-1)
    return ValueNorms(blank(_over_groups(power, values), lengths))


def written_norms(  # noqa: PLR0913  (both sides of an attention)
    values: Values,
    out: Float[Tensor, "sequence head query width"],
    first_mass: Float[Tensor, "sequence head query"],
    gram: Gram,
    *,
    mean: Float[Tensor, "sequence head key width"] | None,
    lengths: Int[np.ndarray, "sequence"],
    keys: Int[np.ndarray, "sequence"] | None = None,
) -> WrittenNorms:
    """Return sizes of what values write, and the share of the first key in each output.

    `mean` is as in `value_norms`; `keys` are the lengths of the text of the keys, where that is
    another than the queries'.

    Raises
    ------
    ValueError
        If values depend on the query and no mean is passed.
    """
    out = out.to(gram.dtype)
    written = _written(values, gram, mean)
    through = out @ gram
    first = _first_values(values, out.shape).to(gram.dtype)
    along = (through @ first.mT)[..., 0] if first.shape[2] == 1 else (through * first).sum(-1)
    power = through.mul_(out).sum(-1)
    share = first_mass * along / power
    return WrittenNorms(
        norm=blank(written, lengths if keys is None else keys),
        first=blank(torch.where(power > 0, share, torch.nan), lengths),
    )


def _written(
    values: Values, gram: Gram, mean: Float[Tensor, "sequence head key width"] | None
) -> Float[Tensor, "sequence kv_head key"]:
    if isinstance(values, Static):
        value = values.value.to(gram.dtype)
        grouped = gram.unflatten(0, (value.shape[1], -1)).mean(dim=1)
        return (value @ grouped).mul_(value).sum(-1).clamp(min=0).sqrt()
    mean = _needed(mean).to(gram.dtype)
    return _over_groups(((mean @ gram) * mean).sum(-1), values)


def _needed(mean: Tensor | None) -> Tensor:
    if mean is None:
        raise ValueError("Values that depend on the query need the mean value of each key.")
    return mean


def _over_groups(
    power: Float[Tensor, "sequence head key"], values: Values
) -> Float[Tensor, "sequence kv_head key"]:
    """Return the root mean square over the query heads of each group."""
    grouped = power.unflatten(1, (operand_heads(values), -1)).mean(dim=2)
    return grouped.clamp(min=0).sqrt()


def operand_heads(values: Values) -> int:
    """Return how many key-value heads the values come in."""
    if isinstance(values, CollapsingValues):
        return values.static.shape[1]
    held: Any = values
    return (held.value if hasattr(held, "value") else held.key_part).shape[1]


def _first_values(values: Values, shape: torch.Size) -> Tensor:
    heads, queries = shape[1], shape[2]
    if isinstance(values, Static):
        return per_query_head(values.value[:, :, :1], heads)
    device = operand_device(values)
    first = torch.zeros(1, dtype=torch.long, device=device)
    return values.pairs(torch.arange(queries, device=device), first, heads)[:, :, :, 0]


def operand_device(values: Values) -> torch.device:
    """Return where the values live."""
    return next(each.device for each in vars(values).values() if isinstance(each, Tensor))


def value_mix(
    sources: Mapping[str, Float[Tensor, "sequence kv_head key width"]],
    lengths: Int[np.ndarray, "sequence"],
) -> ValueMix:
    """Return the signed projection share of each source in the value, averaged over positions.

    `sources` are the parts that add up to the value; the share of a single one is one.
    """
    if len(sources) == 1:
        (part,) = sources.values()
        return ValueMix(tuple(sources), np.ones((len(part), 1, part.shape[1])))
    parts = torch.stack([part.detach().double() for part in sources.values()])
    total = parts.sum(dim=0)
    power = total.square().sum(-1)
    shares = torch.where(power > 0, (parts * total).sum(-1) / power, torch.nan)
    stacked = np.stack([blank(share, lengths) for share in shares], axis=1)
    held = np.isfinite(stacked)
    count = held.sum(-1)
    share = np.where(held, stacked, 0.0).sum(-1) / np.maximum(count, 1)
    return ValueMix(tuple(sources), np.where(count > 0, share, np.nan))


def stream_norms(
    hidden: Float[Tensor, "sequence position channel"], lengths: Int[np.ndarray, "sequence"]
) -> StreamNorms:
    """Return the sizes of the residual stream of each sequence."""
    hidden = accurate(hidden)
    sizes = [_extremes(each[:length]) for each, length in zip(hidden, lengths, strict=True)]
    largest, median, place = (np.array(each) for each in zip(*sizes, strict=True))
    return StreamNorms(
        norm=blank(hidden.norm(dim=-1), lengths),
        largest=largest,
        median=median,
        largest_position=place.astype(np.int64),
    )


def _extremes(hidden: Float[Tensor, "position channel"]) -> tuple[float, float, int]:
    entries = hidden.abs()
    rows = entries.amax(dim=1)
    place = int(rows.argmax())
    return float(rows[place]), _median(entries), place


def _median(entries: Float[Tensor, "position channel"]) -> float:
    """Return the mean of the two middle entries.

    A sample tells about where they are, so that only a few entries have to be ranked; a sample
    that misses them is found out, and all entries are ranked.
    """
    flat, count = entries.flatten(), entries.numel()
    low, high = (count - 1) // 2, count // 2
    if flat.is_cuda:
        return _median_of_tensor(flat, entries.shape[1])
    numbers = flat.numpy()
    first, last = _around_median(numbers, entries.shape[1])
    over = numbers >= first
    below = count - int(np.count_nonzero(over))
    near = numbers[np.flatnonzero(over & (numbers <= last))]
    if not below <= low <= high < below + len(near):
        near, below = numbers, 0
    ranked = np.partition(near, (low - below, high - below))
    return (float(ranked[low - below]) + float(ranked[high - below])) / 2


def _around_median(
    numbers: Float[np.ndarray, "entry"], channels: int
) -> tuple[np.floating, np.floating]:
    sample = np.sort(numbers[:: _step(len(numbers), channels)])
    first, last = _middle(len(sample))
    return sample[first], sample[last]


def _median_of_tensor(flat: Float[Tensor, "entry"], channels: int) -> float:
    count = len(flat)
    low, high = (count - 1) // 2, count // 2
    sample = flat[:: _step(count, channels)].sort().values
    first, last = (sample[place] for place in _middle(len(sample)))
    below = int((flat < first).sum())
    near = flat[(flat >= first) & (flat <= last)]
    if not below <= low <= high < below + len(near):
        near, below = flat, 0
    ranked = near.sort().values
    return float(ranked[low - below] + ranked[high - below]) / 2


def _step(count: int, channels: int) -> int:
    step = max(1, count // SAMPLE)
    while math.gcd(step, channels) > 1:  # a sample of all channels alike
        step += 1
    return step


def _middle(count: int) -> tuple[int, int]:
    middle, margin = count // 2, int(3 * count**0.5)
    return max(0, middle - margin), min(count - 1, middle + margin)
