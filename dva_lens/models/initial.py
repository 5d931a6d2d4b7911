"""The start of training: every weight depends on the seed and on where it stands, on nothing else.

Two variants built from one seed start equal in whatever they have in common, so that a
comparison under one seed is paired.
"""

from hashlib import sha256

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.models.config import ModelConfig

WRITERS = (".attn.out", ".attn.passed", ".mixer.out", ".mlp.down")


@torch.no_grad()
def initialise(model: nn.Module, config: ModelConfig, seed: int) -> None:
    """Draw the weights that start at random; the others keep what their module gave them."""
    for name, module in model.named_modules():
        spread = config.init_std
        if config.init_by_depth and name.endswith(WRITERS):
            spread /= (2 * config.layers) ** 0.5
        usual = ("weight",) if isinstance(module, nn.Linear | nn.Embedding) else ()
        for place, each in enumerate(getattr(module, "normal", usual)):
            _draw(getattr(module, each), f"{seed}/{name}/{place}", spread)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
        calibrate = getattr(module, "calibrate", None)
        if calibrate is not None:
            calibrate()


def _draw(weight: Float[Tensor, "*shape"], key: str, spread: float) -> None:
    generator = torch.Generator().manual_seed(
        int.from_bytes(sha256(key.encode()).digest()[:8], "big", signed=True)
    )
    weight.copy_(spread * torch.randn(weight.shape, generator=generator))
