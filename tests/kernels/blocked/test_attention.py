"""How the attention of a training is cut into blocks."""

import pytest
import torch

from dva_lens.kernels.blocked.attention import ON_GPU, tiles
from dva_lens.kernels.rule import Rule

PAIRS = 1 << 10


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("causal", [True, False])
def test_blocks_hold_every_pair_once_and_not_more_than_they_may(device, causal):
    query, key = torch.empty(2, 3, 37, 4, device=device), torch.empty(2, 3, 37, 4, device=device)
    seen = torch.zeros(2, 3, 37, 37, dtype=torch.int64)
    largest = 0
    for block in tiles(Rule(1.0, causal=causal), query, key, rows=8, pairs=PAIRS):
        part = seen[block.batch, block.heads, block.queries, block.keys]
        part += 1
        largest = max(largest, part.numel())
    wanted = torch.ones(37, 37).tril() if causal else torch.ones(37, 37)
    assert (seen[..., wanted > 0] == 1).all()
    times = 1 if device == "cpu" else ON_GPU["pairs"]
    assert largest <= times * PAIRS
    if device != "cpu":
        assert largest > PAIRS
