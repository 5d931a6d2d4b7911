"""Do the fused kernels give what the reference gives, on the device that runs them?

Every rule of weights, every form of values and every dtype, at odd lengths, against the reference
in float64 on the same inputs. An error is a share of the largest that rounding can explain in the
precision that the kernels keep: above 1 a kernel computes something else.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.fused.gradients import attend_pairwise
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.reference.rounding import gradient_limits, limits
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import PairGated, Pairwise, QueryGated, Separable, Static, Values

SCALE, HEADS, KV_HEADS = 0.15, 4, 2
LENGTHS, FEW_LENGTHS = (1, 37, 333), (1, 37, 130)
OPERANDS = ("query", "key", "query_part", "key_part")
MakeRule = Callable[["Draw"], Rule]


class Draw:
    """Random tensors of one length and dtype on one device, the same on every machine."""

    def __init__(self, length: int, dtype: torch.dtype, device: str) -> None:
        self.length, self.dtype, self.device = length, dtype, device
        self.random = torch.Generator().manual_seed(length)

    def __call__(self, *shape: int) -> Tensor:
        """Draw a tensor of any shape."""
        found = torch.randn(*shape, generator=self.random, dtype=torch.float64)
        return found.to(self.device, self.dtype)

    def of_queries(self, width: int) -> Tensor:
        """Draw what belongs to queries."""
        return self(1, HEADS, self.length, width)

    def of_keys(self, width: int) -> Tensor:
        """Draw what belongs to keys."""
        return self(1, KV_HEADS, self.length, width)

    def segments(self, *starts: float) -> Tensor:
        """Return segments that begin at shares of the length; what comes before is padding."""
        place = torch.arange(self.length, device=self.device)[None]
        return sum((place >= int(share * self.length)).long() for share in starts)  # type: ignore[return-value]


def fixed(**settings: Any) -> MakeRule:
    """Return a rule that holds no tensors."""
    return lambda _: Rule(SCALE, **settings)


RULES: dict[str, MakeRule] = {
    "causal": fixed(),
    "bidirectional": fixed(causal=False),
    "window": fixed(window=29),
    "window-both-ways": fixed(window=29, causal=False),
    "padded": lambda draw: Rule(SCALE, segments=draw.segments(0.3), causal=False),
    "packed": lambda draw: Rule(SCALE, segments=draw.segments(0.0, 0.3, 0.6), window=70),
    "softcap": fixed(softcap=2.0),
    "bias": lambda draw: Rule(SCALE, bias=draw(1, HEADS, draw.length, draw.length)),
    "bias-of-keys": lambda draw: Rule(SCALE, bias=draw(1, 1, 1, draw.length)),
    "sink": lambda draw: Rule(SCALE, sink=draw(HEADS)),
    "sink-and-number": lambda draw: Rule(SCALE, sink=draw(HEADS), bias=0.3),
    "sink-padded": lambda draw: Rule(SCALE, sink=draw(HEADS), segments=draw.segments(0.3)),
    "sigmoid": fixed(normaliser="sigmoid", bias=-1.5),
    "sigmoid-packed": lambda draw: Rule(
        SCALE, normaliser="sigmoid", segments=draw.segments(0.0, 0.5)
    ),
}
FORMS: dict[str, Callable[[Draw, int], Values]] = {
    "static": lambda draw, width: Static(draw.of_keys(width)),
    "query-gate": lambda draw, width: QueryGated(draw.of_queries(width), draw.of_keys(width)),
    "separable": lambda draw, width: Separable(draw.of_queries(width), draw.of_keys(width)),
    "pairwise": lambda draw, width: Pairwise(draw.of_queries(width), draw.of_keys(width)),
    "pair-gate": lambda draw, width: PairGated(
        draw.of_queries(width), draw.of_keys(width), draw.of_keys(width)
    ),
}


def forward(
    rule: str,
    form: str = "static",
    *,
    dtype: str = "float32",
    widths: tuple[int, int] = (64, 64),
    lengths: tuple[int, ...] = LENGTHS,
    device: str = "cuda",
) -> dict[str, Any]:
    """Hold output and summary of one rule and form to the reference; say the worst shares."""
    exact = getattr(torch, dtype)
    worst: dict[str, float] = {}
    for length in lengths:
        draw = Draw(length, exact, device)
        query, key = draw.of_queries(widths[0]), draw.of_keys(widths[0])
        values, weights = FORMS[form](draw, widths[1]), RULES[rule](draw)
        output, found = BACKENDS["fused"](query, key, values, weights)
        wide = query.double(), key.double(), _wide(values), weights
        truth, want = BACKENDS["reference"](*wide)
        slack = limits(*wide, dtype=exact)
        _keep(worst, "output", excess(output, truth, slack.pop("output")))
        for name, limit in slack.items():
            _keep(worst, name, excess(getattr(found, name), getattr(want, name), limit))
        for name in ("visible", "viewers"):
            _keep(
                worst, name, excess(getattr(found, name), getattr(want, name), query.new_zeros(()))
            )
    return _judged(worst)


def gradients(
    rule: str,
    *,
    width: int = 64,
    lengths: tuple[int, ...] = FEW_LENGTHS,
    device: str = "cuda",
) -> dict[str, Any]:
    """Hold the output and every gradient of fused pairwise values to the reference."""
    worst: dict[str, float] = {}
    for length in lengths:
        draw = Draw(length, torch.float32, device)
        operands = [make(width) for make in (draw.of_queries, draw.of_keys) * 2]
        weights, upstream = RULES[rule](draw), draw.of_queries(width)
        wide = [each.double() for each in operands]
        want = _pulled(reference.attend, wide, weights, upstream.double())
        found = _pulled(attend_pairwise, operands, weights, upstream)
        pairs, push = Pairwise(wide[2], wide[3]), upstream.double()
        query, key = wide[:2]
        slack = gradient_limits(query, key, pairs, weights, upstream=push, dtype=torch.float32)
        slack["output"] = limits(query, key, pairs, weights, dtype=torch.float32)["output"]
        for name, truth in want.items():
            _keep(worst, name, excess(found[name], truth, slack[name]))
    return _judged(worst)


def _pulled(
    attend: Any, operands: list[Tensor], weights: Rule, upstream: Tensor
) -> dict[str, Tensor]:
    leaves = [each.detach().requires_grad_() for each in operands]
    output = attend(leaves[0], leaves[1], Pairwise(*leaves[2:]), weights)
    pulled = torch.autograd.grad(output, leaves, upstream)
    return {"output": output.detach(), **dict(zip(OPERANDS, pulled, strict=True))}


def excess(found: Tensor, want: Tensor, limit: Tensor) -> float:
    """Return the largest error as a share of its limit; equal numbers and two NaN have none."""
    found, want = found.double(), want.double()
    gap = (found - want).abs()
    gap[(found == want) | (found.isnan() & want.isnan())] = 0.0
    smallest = torch.finfo(torch.float64).tiny
    return float((gap.nan_to_num(torch.inf) / limit.double().clamp(min=smallest)).max())


def _wide(values: Values) -> Values:
    return type(values)(**{name: each.double() for name, each in vars(values).items()})


def _keep(worst: dict[str, float], name: str, share: float) -> None:
    worst[name] = max(worst.get(name, 0.0), share)


def _judged(worst: dict[str, float]) -> dict[str, Any]:
    holds = all(share <= 1 for share in worst.values())
    return {"holds": holds, "worst": {name: round(share, 4) for name, share in worst.items()}}
