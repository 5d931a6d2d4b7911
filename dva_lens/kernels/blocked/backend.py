"""The backend `blocked`: the output and its numbers from one pass in blocks of queries."""

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.moments import PairMoments
from dva_lens.kernels.blocked.observe import observe
from dva_lens.kernels.inputs import check, check_finite
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import Values

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]


@torch.no_grad()
def blocked(query: Query, key: Key, values: Values, rule: Rule) -> tuple[Output, Summary]:
    """Return the output and the summary from one pass in blocks, in memory linear in length.

    Raises
    ------
    ValueError
        Shapes do not fit, or query, key, values or scores are not finite.
    TypeError
        No kernel mixes values of this type.
    """
    return observed(query, key, values, rule)


@torch.no_grad()
def observed(
    query: Query,
    key: Key,
    values: Values,
    rule: Rule,
    *,
    output: Output | None = None,
    observer: PairMoments | None = None,
) -> tuple[Output, Summary]:
    """Check what goes in and what comes out of a pass in blocks.

    Parameters
    ----------
    output
        The output of another forward, which is kept as it is: only the summary is computed.
    observer
        Gathers the moments of values that depend on the pair while they are formed.

    Raises
    ------
    ValueError
        Shapes do not fit, or query, key, values or scores are not finite.
    TypeError
        No kernel mixes values of this type.
    """
    check(query, key, values, rule)
    output, found = observe(query, key, values, rule, output=output, observer=observer)
    check_finite(found, query, key, values, rule)
    return output, found
