"""How far rounding may take a kernel from the reference, entry by entry.

Every limit is a number of operations times the unit roundoff times the sizes of what is added up:
a sum of n products lies within n roundoffs of the sum of their absolute values, an error of a
score is a relative error of its weight, and errors add. No order of summation, processor or number
of threads leads beyond such a limit; a product in TF32, a key left out or another GELU does. The
sizes are formed in full, in float64, so keep the inputs small.

Source: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, sections 3.1-3.5.
"""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.composition import HeadMaps
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.reference.sizes import STEPS, of_keys, of_queries, value_sizes
from dva_lens.kernels.rule import Rule, visible_keys
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import Pairwise, Relative, Separable, Values, per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Pattern = Float[Tensor, "batch head query key"]
PairSizes = Float[Tensor, "batch head query key value_width"]

BLOCK = 128
"""Distances are counted from a query of the same block, at most so many positions away."""
STEEPEST, MOST_BENT = 1.13, 0.8
"""The largest absolute values of the first and the second derivative of GELU."""


@final
@dataclass(frozen=True)
class _Weighed:
    """A pattern in float64, how large its scores are, and what rounding leaves of its digits.

    Weights of a relu, and those that heads compose, may be small because products cancel; theirs
    are the largest that they could be.
    """

    pattern: Pattern
    scores: Float[Tensor, "batch head query 1"]
    log_sum_exp: Float[Tensor, "batch head query 1"]
    relative: Float[Tensor, "batch head query 1"]
    unit: float

    @property
    def summed(self) -> Float[Tensor, "batch head query 1"]:
        """Relative error of a sum of weights times something exact."""
        return self.relative + self.unit * (self.pattern.shape[-1] + STEPS)


def limits(
    query: Query, key: Key, values: Values, rule: Rule, *, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the largest error of the output and of every field of its `Summary`, by name.

    The inputs are those that the kernel was given, as float64; `dtype` is what it was given them
    in. Sums are expected in float32 or wider; only the output may be rounded to `dtype`.

    Raises
    ------
    TypeError
        No error is known for values of this type.
    """
    weighed = _weighed(query, key, rule, dtype)
    p, summed, unit = weighed.pattern, weighed.summed, weighed.unit
    sizes, losses = value_sizes(values, query.shape[1])
    output = torch.einsum("bhqk,bhqkd->bhqd", p * summed, sizes)
    output += unit * torch.einsum("bhqk,bhqkd->bhqd", p, losses)
    output += _narrowed(p, sizes, rule, dtype)
    length = query.shape[2]
    place = torch.arange(length, device=query.device)
    gap = (place[:, None] - place).abs() + 2 * min(BLOCK, length)
    entropy = torch.special.entr(p).clamp(min=0.0).sum(dim=-1, keepdim=True)
    logarithm = (summed * (1 + weighed.scores + weighed.log_sum_exp.abs() + entropy))[..., 0]
    relative = summed * p
    rest, rest_entropy = (each[..., 1:].sum(dim=-1) for each in (p, torch.special.entr(p)))
    steps = 1 + weighed.scores + weighed.log_sum_exp.abs()
    pairs = values.pairs(place, place, query.shape[1])
    mixed = torch.einsum("bhqk,bhqkd->bhqd", p, pairs).norm(dim=-1)
    lost = _norm_error(values, sizes, losses, unit)
    rest_logarithm = summed[..., 0] * (steps[..., 0] * rest + rest_entropy)
    if rule.normaliser == "relu":
        least = relative.clamp(min=torch.finfo(p.dtype).tiny)
        terms = 2 * least * (2 + least.log().abs() + p.clamp(min=1).log())
        logarithm, rest_logarithm = terms.sum(dim=-1), terms[..., 1:].sum(dim=-1)
    return {
        "output": output,
        "log_sum_exp": logarithm,
        "entropy": logarithm,
        "square_sum": 2 * (relative * p).sum(dim=-1),
        "largest": relative.amax(dim=-1),
        "first_mass": relative[..., 0],
        "self_mass": relative.diagonal(dim1=-2, dim2=-1),
        "previous_mass": torch.nn.functional.pad(
            relative.diagonal(offset=-1, dim1=-2, dim2=-1), (1, 0)
        ),
        "distance": (relative * gap).sum(dim=-1),
        "row_mass": relative.sum(dim=-1),
        "absolute_mass": relative.sum(dim=-1),
        "rest_mass": relative[..., 1:].sum(dim=-1),
        "rest_entropy": rest_logarithm,
        "rest_distance": (relative * gap)[..., 1:].sum(dim=-1),
        "value_norm": (relative * pairs.norm(dim=-1) + p * lost).sum(dim=-1),
        "output_norm": output.norm(dim=-1) + (sizes.shape[-1] + STEPS) * unit * mixed,
        "received": relative.sum(dim=-2),
        "late_received": 2 * relative.sum(dim=-2),
    }


def pattern_limits(query: Query, key: Key, rule: Rule, *, dtype: torch.dtype) -> Pattern:
    """Return the largest error of every weight of a pattern."""
    weighed = _weighed(query, key, rule, dtype)
    return weighed.relative * weighed.pattern


def gradient_limits(
    query: Query,
    key: Key,
    values: Pairwise,
    rule: Rule,
    *,
    upstream: Float[Tensor, "batch head query value_width"],
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """Return the largest error of each gradient of an attention over GELU(a_i + b_j), by name."""
    weighed = _weighed(query, key, rule, dtype)
    p, unit, group = weighed.pattern, weighed.unit, query.shape[1] // key.shape[1]
    sizes, losses = value_sizes(values, query.shape[1])
    g, summed = upstream.abs(), weighed.summed + unit * query.shape[2] * group
    gain = torch.einsum("bhqd,bhqkd->bhqk", g, sizes)
    lost = unit * torch.einsum("bhqd,bhqkd->bhqk", g, losses)
    inner, inner_lost = ((p * each).sum(dim=-1, keepdim=True) for each in (gain, lost))
    share = 3 * summed + unit * (sizes.shape[-1] + STEPS)
    if rule.softcap is not None:
        share = share + weighed.relative / rule.softcap
    slope = rule.scale * p * (share * (gain + inner) + lost + inner_lost)
    hidden = of_queries(values.query_part) + of_keys(values.key_part, query.shape[1])
    branch = p[..., None] * (STEEPEST * summed[..., None] + MOST_BENT * unit * hidden.abs())
    found = {
        "query": slope @ per_query_head(key, query.shape[1]).abs(),
        "key": slope.mT @ query.abs(),
        "query_part": branch.sum(dim=3) * g,
        "key_part": (branch * g[:, :, :, None]).sum(dim=2),
    }
    for name in ("key", "key_part"):
        found[name] = found[name].unflatten(1, (-1, group)).sum(dim=2)
    if rule.sink is not None:
        taken = torch.exp(rule.sink[:, None, None] - weighed.log_sum_exp)
        lengths = unit * query.shape[0] * query.shape[2]
        found["sink"] = (taken * ((share + lengths) * inner + inner_lost)).sum(dim=(0, 2, 3))
    return found


def _weighed(query: Query, key: Key, rule: Rule, dtype: torch.dtype) -> _Weighed:
    unit = torch.finfo(torch.promote_types(dtype, torch.float32)).eps / 2
    place = torch.arange(query.shape[2], device=query.device)
    size = _score_sizes(query, key, rule)
    sequences = torch.arange(len(query), device=query.device)
    largest = size.masked_fill(~rule.visible(place, place, sequences), 0.0).amax(
        dim=-1, keepdim=True
    )
    if rule.sink is not None:
        largest = torch.maximum(largest, rule.sink.double().abs()[:, None, None])
    stunit = 2 * (query.shape[-1] + STEPS) * largest + query.shape[2] + STEPS
    if rule.before is not None:
        stunit = stunit + 2 * _steps_of(rule.before, query.shape[1]) * largest
    scores, log_sum_exp = reference.scores(query, key, rule), torch.zeros_like(largest)
    if rule.normaliser == "softmax":
        log_sum_exp = reference.log_normaliser(scores, rule)[..., None]
        log_sum_exp = log_sum_exp.masked_fill(log_sum_exp == -torch.inf, 0.0)
    pattern = reference.normalised(scores, replace(rule, composition=None))
    if rule.normaliser == "relu":
        pattern = size.masked_fill(scores == -torch.inf, 0.0) / visible_keys(scores)
        stunit = torch.full_like(largest, 2 * (query.shape[-1] + STEPS) + query.shape[2])
    if rule.after is not None:
        stunit = stunit.amax(dim=1, keepdim=True) + _steps_of(rule.after, query.shape[1])
        stunit = stunit.expand_as(largest)
        pattern = rule.after.absolute().of(pattern, Pairs(place, place))
    return _Weighed(pattern, largest, log_sum_exp, unit * stunit, unit)


def _score_sizes(query: Query, key: Key, rule: Rule) -> Pattern:
    """Return the sum of the absolute values of all that is added up to each score."""
    place = torch.arange(query.shape[2], device=query.device)
    size = abs(rule.scale) * query.abs() @ per_query_head(key, query.shape[1]).abs().mT
    if rule.before is not None:
        size = rule.before.absolute().of(size, Pairs(place, place))
    bias = torch.as_tensor(rule.bias, dtype=torch.float64).abs()
    size = size + bias.masked_fill(bias == torch.inf, 0.0)
    if rule.similarity == "linear":
        size = 1 + size.log().abs()
    size = size + _largest_terms(rule)
    if rule.decay is not None:
        size = size + rule.decay.between(place, place, dtype=size.dtype).abs()
    return size


def _steps_of(maps: HeadMaps, heads: int) -> int:
    """Return how many operations make one entry of all heads' entries."""
    sums = (heads if "gate" in name else each.shape[-2] + heads for name, each in maps.tensors())
    return STEPS + sum(sums)


def _largest_terms(rule: Rule) -> float:
    """Return what terms by distance and of blocks of a text add to a score at most."""
    by_distance = [each for each in (rule.query_terms, rule.key_terms) if each is not None]
    found = sum((float(each.abs().amax()) for each in by_distance), 0.0)
    return found if rule.text_blocks is None else found + rule.text_blocks.largest()


def _norm_error(values: Values, sizes: PairSizes, losses: PairSizes, unit: float) -> Pattern:
    """Return the error of |v_ij|; that of a sum is the root of a sum that may cancel."""
    heads, length, width = sizes.shape[1], sizes.shape[2], sizes.shape[-1]
    place = torch.arange(length, device=sizes.device)
    norm = values.pairs(place, place, heads).norm(dim=-1)
    if not isinstance(values, (Separable, Relative)):
        return unit * ((width + STEPS) * norm + losses.norm(dim=-1))
    squared = unit * (width + STEPS) * sizes.square().sum(dim=-1)
    return squared / torch.maximum(norm, squared.sqrt())


def _narrowed(
    pattern: Pattern, sizes: PairSizes, rule: Rule, dtype: torch.dtype
) -> Float[Tensor, "batch head query value_width"] | float:
    """Return what is lost where weights, row masses, outputs and sinks are rounded to `dtype`."""
    if torch.promote_types(dtype, torch.float32) == dtype:
        return 0.0
    info = torch.finfo(dtype)
    mixed = torch.einsum("bhqk,bhqkd->bhqd", pattern, sizes)
    largest = torch.einsum("bhqk,bhqkd->bhqd", (pattern > 0).double(), sizes)
    roundings = 2.0 if rule.sink is None else 2.0 + rule.sink.abs()[:, None, None]
    return info.eps * (roundings * mixed + info.tiny * largest)
