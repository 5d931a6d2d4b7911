"""Masks with an entry per pair of positions, given by whoever runs the model."""

import families
import numpy as np
import pytest
import torch
import transformers as tf
from families import family

from dva_lens.recording.record import attach
from dva_lens.sites import SUMMARY

IDS = torch.tensor(np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 9)))


def prefix_mask(left=0):
    """Let the first four real positions see each other, in texts padded on the left."""
    place = torch.arange(9)
    seen = (place[:, None] >= place) | (place < 4 + left)
    real = place >= torch.tensor([0, left])[:, None]
    return (seen & real[:, None] & real[:, :, None])[:, None]


def as_added(mask):
    return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(
        ~mask, torch.finfo(torch.float64).min
    )


@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("form", [lambda mask: mask, as_added], ids=["booleans", "added"])
def test_a_mask_of_pairs_is_recorded_as_eager_attention_reads_it(form, left):
    mask = prefix_mask(left)
    model = family("llama", dtype=torch.float64)
    with families.exact(), torch.no_grad(), attach(model, [SUMMARY]) as recorder:
        model(IDS, attention_mask=form(mask), use_cache=False)
        layers = recorder.take(2)
    eager = family("llama", attention="eager", dtype=torch.float64)
    patterns, _, _ = families.eager(eager, input_ids=IDS, attention_mask=as_added(mask))
    for layer, pattern in zip(layers, patterns, strict=True):
        for row, start in enumerate((0, left)):
            rows = pattern[row, :, start:, start:]
            found = layer.summary.entropy[row, :, : 9 - start]
            np.testing.assert_allclose(found, torch.special.entr(rows).sum(-1), atol=1e-9)
            seen = mask[row, 0, start:, start:].sum(-1).tolist()
            assert layer.summary.visible[row, : 9 - start].tolist() == seen


def test_a_bias_in_a_mask_is_added_to_the_scores():
    added = as_added(prefix_mask())
    added = torch.where(added == 0, torch.randn(9, 9, dtype=torch.float64), added)
    model = family("llama", dtype=torch.float64)
    with families.exact(), torch.no_grad(), attach(model, [SUMMARY]) as recorder:
        model(IDS, attention_mask=added, use_cache=False)
        layers = recorder.take(2)
    eager = family("llama", attention="eager", dtype=torch.float64)
    patterns, _, _ = families.eager(eager, input_ids=IDS, attention_mask=added)
    for layer, pattern in zip(layers, patterns, strict=True):
        entropy = torch.special.entr(pattern).sum(-1).numpy()
        np.testing.assert_allclose(layer.summary.entropy, entropy, atol=1e-9)


@pytest.mark.parametrize("axes", [3, 4])
def test_positions_of_images_say_nothing_of_packing_but_those_of_the_text_do(axes):
    config = tf.Qwen2VLTextConfig(
        **families.GROUPED,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
    )
    torch.manual_seed(0)
    model = tf.Qwen2VLTextModel(config).double().eval()
    places = torch.cat([torch.arange(4), torch.arange(5)]) if axes == 4 else torch.arange(9)
    positions = places.expand(axes, 2, 9)
    with families.exact(), torch.no_grad(), attach(model, [SUMMARY]) as recorder:
        model(IDS, position_ids=positions, use_cache=False)
        layers = recorder.take(2)
    assert layers[0].summary.entropy.shape[0] == (4 if axes == 4 else 2)
