"""Tiny models of every preset, sharpened so that something happens in them."""

import torch

from dva_lens.models.decoder import build
from dva_lens.models.presets import PRESETS, Size, preset

VOCABULARY = 41
SIZE = Size(layers=3, width=32, heads=2, vocabulary=VOCABULARY, context=32)
NAMES = tuple(PRESETS)


def sharp(config, *, seed=0, scale=6.0, dtype=torch.float64):
    """Return a model far from its start: wide weights, and shifts that are not zero."""
    model = build(config, seed).to(dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=dtype)
            if parameter.ndim > 1:
                parameter.mul_(scale).add_(0.05 * noise)
            else:
                parameter.add_(0.2 * noise)
    return model


def sharp_preset(name, **options):
    return sharp(preset(name, SIZE), **options)


def random_tokens(batch=2, length=13, seed=0, vocabulary=VOCABULARY):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocabulary, (batch, length), generator=generator)
