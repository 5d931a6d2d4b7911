"""Attention over values GELU(a_i + b_j) in Triton kernels, with all its gradients.

Nothing of the size of a pair is kept: the backward pass forms scores, weights and values again.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dva_lens.kernels.fused import guards
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]
Rows = Float[Tensor, "batch head query"]


def runs(query: Query, values: Pairwise, rule: Rule) -> bool:
    """Say whether the kernels serve an attention where it is, on a GPU."""
    return query.is_cuda and guards.installed() and takes(query, values, rule)


def takes(query: Query, values: Pairwise, rule: Rule) -> bool:
    """Say whether the kernels compute the attention and give every gradient that is wanted."""
    return guards.takes(query, values, rule) and not _wants_gradient(rule.bias)


def attend_pairwise(query: Query, key: Key, values: Pairwise, rule: Rule) -> Output:
    """Return sum_j p_ij GELU(a_i + b_j); differentiable in everything but a bias.

    Raises
    ------
    ValueError
        The bias requires a gradient.
    TypeError
        The rule holds a mask function.
    ImportError
        Triton is not installed.
    RuntimeError
        The tensors are not on an NVIDIA GPU.
    """
    guards.check_machine(query)
    guards.check_rule(rule)
    if _wants_gradient(rule.bias):
        raise ValueError(
            "The fused kernels give no gradient to a bias of pairs, and this one requires it; use "
            "the backend 'blocked', or detach the bias."
        )
    with torch.autocast(query.device.type, enabled=False):
        wide = (each.float() for each in (query, key, values.query_part, values.key_part))
        return PairwiseAttention.apply(rule, *wide, rule.sink).to(query.dtype)


def _wants_gradient(bias: float | Tensor) -> bool:
    return isinstance(bias, Tensor) and bias.requires_grad


class PairwiseAttention(torch.autograd.Function):
    """One pass over the keys forwards, and one over the keys and one over the queries back."""

    @staticmethod
    def forward(  # noqa: PLR0913  (what autograd differentiates has to be an argument)
        ctx: Any,
        rule: Rule,
        query: Query,
        key: Key,
        query_part: Output,
        key_part: Float[Tensor, "batch kv_head key value_width"],
        sink: Float[Tensor, "head"] | None,
    ) -> Output:
        """Return the output."""
        from dva_lens.kernels.fused.launch import forward
        from dva_lens.kernels.fused.operands import operands_of

        operands = operands_of(Pairwise(query_part, key_part), measure=False)
        output, rows = forward(query, key, operands, rule, measure=False)
        log_sum_exp = rows["log_sum_exp"]
        ctx.rule = rule
        ctx.save_for_backward(query, key, query_part, key_part, sink, output, log_sum_exp)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Output) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Form every pair again, once per query and once per key."""
        from dva_lens.kernels.fused.launch import pull

        query, key, query_part, key_part, sink, output, log_sum_exp = ctx.saved_tensors
        inner = (grad * output).sum(dim=-1)
        softmax = ctx.rule.normaliser == "softmax"
        gradients = pull(
            query,
            key,
            Pairwise(query_part, key_part),
            ctx.rule,
            grad=grad,
            rows=(log_sum_exp, inner if softmax else torch.zeros_like(inner)),
        )
        d_sink = None
        if sink is not None:
            share = torch.exp(sink[:, None] - log_sum_exp)
            d_sink = -(share * inner).sum(dim=(0, 2)).to(sink.dtype)
        return None, *gradients, d_sink
