"""The backend `fused`: the output and its numbers from one pass, received mass from another."""

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocks import counts
from dva_lens.kernels.fused.guards import check_machine, check_operands, check_rule
from dva_lens.kernels.inputs import check, check_finite
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import CollapsingValues, Static, Values

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]


@torch.no_grad()
def fused(query: Query, key: Key, values: Values, rule: Rule) -> tuple[Output, Summary]:
    """Return the output and the summary from Triton kernels; the sums are in float32.

    Raises
    ------
    ImportError
        Triton is not installed.
    RuntimeError
        The tensors are not on an NVIDIA GPU.
    TypeError
        The kernels do not take the form, the dtype or the mask function.
    ValueError
        Shapes do not fit, heads are too wide, or numbers are not finite.
    """
    check(query, key, values, rule)
    check_machine(query)
    check_operands(query, values)
    check_rule(rule)
    from dva_lens.kernels.fused.launch import forward, received
    from dva_lens.kernels.fused.operands import operands_of

    unfinished = isinstance(values, CollapsingValues) and not isinstance(values, Static)
    dtype = torch.float32 if unfinished else query.dtype
    output, rows = forward(query, key, operands_of(values), rule, measure=True, dtype=dtype)
    if isinstance(values, CollapsingValues):
        output = values.finish(output, rows["row_mass"]).to(query.dtype)
    batch, _, length, _ = query.shape
    visible, viewers = counts(rule, length, batch=batch, device=query.device)
    mass, late = received(query, key, rows["log_sum_exp"], rule, visible=visible)
    summary = Summary(
        **rows,
        absolute_mass=rows["row_mass"],
        output_norm=torch.linalg.vector_norm(output, dim=-1, dtype=torch.float32),
        received=mass,
        late_received=late,
        visible=visible,
        viewers=viewers,
    )
    check_finite(summary, query, key, values, rule)
    return output, summary
