"""Values by distance over several blocks: before, near and after the queries of each."""

import pytest
import torch
from attentions import Draws, attention
from rounding import agree

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked.distances import Distances
from dva_lens.kernels.blocked.moments import moments
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.reference import attention as reference

WHOLE = slice(0, 1)


@pytest.mark.parametrize(
    ("queries", "keys"),
    [((0, 4), (0, 4)), ((10, 14), (0, 14)), ((10, 14), (3, 30)), ((9, 10), (0, 20))],
)
@pytest.mark.parametrize("reach", [1, 3, 50])
def test_every_pair_has_its_clipped_distance(queries, keys, reach):
    block = QueryBlock(WHOLE, WHOLE, slice(*queries), slice(*keys))
    found = Distances.of(block, 2 * reach + 1, torch.device("cpu"))
    i, j = torch.arange(*queries), torch.arange(*keys)
    index = (i[:, None] - j).clamp(-reach, reach) + reach
    one_hot = torch.nn.functional.one_hot(index, 2 * reach + 1).double()
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(1, 1, len(i), len(j), generator=generator, dtype=torch.float64)
    of_query = torch.rand(1, 1, len(i), 2 * reach + 1, generator=generator, dtype=torch.float64)
    of_key = torch.rand(1, 1, len(j), 2 * reach + 1, generator=generator, dtype=torch.float64)
    for ours, theirs in (
        (found.masses(weights), torch.einsum("bhqk,qkc->bhqc", weights, one_hot)),
        (found.received(weights), torch.einsum("bhqk,qkc->bhkc", weights, one_hot)),
        (found.of_queries(of_query, len(j)), torch.einsum("bhqc,qkc->bhqk", of_query, one_hot)),
        (
            found.weighed(weights, of_key),
            torch.einsum("bhqk,bhkc,qkc->bhq", weights, of_key, one_hot),
        ),
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("weights", ["causal", "bidirectional", "window-both-ways", "packed"])
@pytest.mark.parametrize("backend", ["blocked", "exact"])
def test_several_blocks_are_the_reference(backend, weights):
    inputs = attention(Draws((1, 2, 1), 290), "relative", weights)
    (output, found), (other, want) = (BACKENDS[name](*inputs) for name in (backend, "reference"))
    agree({"output": output, **vars(found)}, {"output": other, **vars(want)}, inputs)


def test_moments_of_several_blocks_are_those_of_all_pairs():
    query, key, values, rule = attention(Draws((1, 2, 1), 290), "relative", "causal")
    pattern, every = reference.pattern(query, key, rule), torch.arange(290)
    pairs = values.pairs(every, every, 2)
    found = moments(query, key, values, rule)
    received = pattern.sum(dim=-2)
    torch.testing.assert_close(found.received, received)
    torch.testing.assert_close(found.power, (pattern * pairs.square().sum(-1)).sum((-2, -1)))
    mean = torch.einsum("bhqk,bhqkd->bhkd", pattern, pairs) / received[..., None]
    torch.testing.assert_close(found.mean, mean)
