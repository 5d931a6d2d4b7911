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
from dva_lens.kernels.dynamics import Moments, PairMoments, moments
from dva_lens.kernels.fused.backend import fused
from dva_lens.kernels.fused.guards import installed, takes
from dva_lens.kernels.inputs import check, check_finite
from dva_lens.kernels.materialised import materialised
from dva_lens.kernels.observe import observe
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import CollapsingValues, Values
from dva_lens.kernels.weights import Weights

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]
Backend = Callable[[Tensor, Tensor, Values, Weights], tuple[Tensor, Summary]]


@torch.no_grad()
def exact(query: Query, key: Key, values: Values, weights: Weights) -> tuple[Output, Summary]:
    """Return the very output of `attention.attend`, and the summary from a second pass."""
    return _observed("exact", query, key, values, weights)


@torch.no_grad()
def blocked(query: Query, key: Key, values: Values, weights: Weights) -> tuple[Output, Summary]:
    """Return the output and the summary from one pass in blocks."""
    return _observed("blocked", query, key, values, weights)


BACKENDS: dict[str, Backend] = {
    "reference": materialised,
    "exact": exact,
    "blocked": blocked,
    "fused": fused,
}


@torch.no_grad()
def with_moments(
    name: str, query: Query, key: Key, values: Values, weights: Weights
) -> tuple[Output, Summary, Moments]:
    """Do what a backend does and return the moments of the values as well.

    Where it forms the values of pairs in blocks, that is done once for both.
    """
    if name in ("exact", "blocked") and not isinstance(values, CollapsingValues):
        gathered = PairMoments.of(query, values)
        output, found = _observed(name, query, key, values, weights, onlooker=gathered)
        return output, found, gathered.moments
    output, found = BACKENDS[name](query, key, values, weights)
    return output, found, moments(query, key, values, weights)


def _observed(
    name: str,
    query: Query,
    key: Key,
    values: Values,
    weights: Weights,
    *,
    onlooker: PairMoments | None = None,
) -> tuple[Output, Summary]:
    check(query, key, values, weights)
    output = attend(query, key, values, weights) if name == "exact" else None
    output, found = observe(query, key, values, weights, output=output, onlooker=onlooker)
    check_finite(found, query, key, values)
    return output, found


def choose(
    name: str,
    device: torch.device | str,
    *,
    query: Query | None = None,
    values: Values | None = None,
) -> str:
    """Return the name of the backend to use: `auto` means the fastest there is.

    That is `fused` on a GPU where Triton is installed, unless it does not take the dtype, the
    width or the form of values of what is given, and `blocked` everywhere else.
    """
    if name == "auto":
        on_gpu = torch.device(device).type == "cuda" and installed()
        known = query is None or values is None or takes(query, values)
        return "fused" if on_gpu and known else "blocked"
    if name not in BACKENDS:
        raise KeyError(f"Unknown backend {name!r}; there are: auto, {', '.join(BACKENDS)}.")
    return name
