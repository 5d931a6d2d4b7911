"""Ways to compute one attention and its summary; all of them answer to `reference`.

`reference` forms the pattern in float64. `exact` returns bit for bit what the models' own forward
returns and reads the numbers in a second pass. `blocked` does both in one pass, in blocks. `fused`
does both in Triton kernels on an NVIDIA GPU.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.attention import attend
from dva_lens.kernels.blocked.backend import blocked, observed
from dva_lens.kernels.blocked.moments import Moments, PairMoments, moments
from dva_lens.kernels.fused.backend import fused
from dva_lens.kernels.fused.guards import installed, takes
from dva_lens.kernels.inputs import check
from dva_lens.kernels.reference.backend import materialised
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import PairValuesForm, Values

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]
Backend = Callable[[Tensor, Tensor, Values, Rule], tuple[Tensor, Summary]]


@torch.no_grad()
def exact(query: Query, key: Key, values: Values, rule: Rule) -> tuple[Output, Summary]:
    """Return the very output of `attention.attend`, and the summary from a second pass in blocks.

    Raises
    ------
    ValueError
        Shapes do not fit, or query, key, values or scores are not finite.
    TypeError
        No kernel mixes values of this type.
    """
    check(query, key, values, rule)
    return observed(query, key, values, rule, output=attend(query, key, values, rule))


BACKENDS: dict[str, Backend] = {
    "reference": materialised,
    "exact": exact,
    "blocked": blocked,
    "fused": fused,
}


@torch.no_grad()
def with_moments(
    name: str, query: Query, key: Key, values: Values, rule: Rule
) -> tuple[Output, Summary, Moments]:
    """Do what a backend does and return the moments of the values as well.

    Where it forms the values of pairs in blocks, that is done once for both.

    Raises
    ------
    KeyError
        There is no backend of this name.
    ValueError, TypeError, MemoryError
        What the backend refuses.
    """
    if name in ("exact", "blocked") and isinstance(values, PairValuesForm):
        check(query, key, values, rule)
        gathered = PairMoments.of(query, values)
        output = attend(query, key, values, rule) if name == "exact" else None
        output, found = observed(query, key, values, rule, output=output, observer=gathered)
        return output, found, gathered.moments
    output, found = BACKENDS[name](query, key, values, rule)
    return output, found, moments(query, key, values, rule)


def choose(
    name: str,
    device: torch.device | str,
    *,
    query: Query | None = None,
    values: Values | None = None,
    rule: Rule | None = None,
) -> str:
    """Return the name of the backend to use: `auto` means the fastest there is.

    That is `fused` on a GPU where Triton is installed, unless it does not take the dtype, the
    width, the form of values or the mask function of what is given, and `blocked` elsewhere.

    Raises
    ------
    KeyError
        There is no backend of this name.
    """
    if name == "auto":
        on_gpu = torch.device(device).type == "cuda" and installed()
        known = query is None or values is None or takes(query, values, rule)
        return "fused" if on_gpu and known else "blocked"
    if name not in BACKENDS:
        raise KeyError(f"Unknown backend {name!r}; there are: auto, {', '.join(BACKENDS)}.")
    return name
