"""Tiny models of this package with weights large enough for something to happen."""

import numpy as np
import torch

from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset

VOCABULARY = 61


def tiny(name, *, layers=3, context=16, seed=0, sharp=8.0):
    """Return a model of a preset whose attention is far from uniform."""
    size = Size(layers=layers, width=32, heads=4, vocabulary=VOCABULARY, context=context)
    model = build(preset(name, size), seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(sharp)
            else:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def tokens_of(lengths, seed=0):
    """Return random tokens, 0 beyond each length."""
    draw = np.random.default_rng(seed)
    longest = int(max(lengths))
    tokens = draw.integers(1, VOCABULARY, (len(lengths), longest))
    return np.where(np.arange(longest) < np.asarray(lengths)[:, None], tokens, 0)
