"""Images as positions: where patches stand, and that their edges are kept like those of a text."""

import numpy as np
import pytest
import torch
from transformers import SiglipVisionConfig, SiglipVisionModel, ViTConfig, ViTModel

import dva_lens as lens
from dva_lens.measuring.patches import MOST_EXTRA, PatchGrid
from dva_lens.results.edges import has_edges

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 24,
    "patch_size": 8,
}
MODELS = {
    "vit": (lambda: ViTModel(ViTConfig(**SMALL)), 1),
    "siglip": (lambda: SiglipVisionModel(SiglipVisionConfig(**SMALL)), 0),
}


@pytest.mark.parametrize(("make", "first"), MODELS.values(), ids=MODELS)
def test_what_patches_receive_is_what_the_model_gives_them(make, first):
    torch.manual_seed(0)
    model = make().eval()
    images = torch.rand(2, 3, 24, 24)
    data = lens.measure(model, images, keep="query")
    assert {name: data.attrs[f"patch_{name}"] for name in ("rows", "columns", "first")} == {
        "rows": 3,
        "columns": 3,
        "first": first,
    }
    model.set_attn_implementation("eager")
    with torch.no_grad():
        patterns = model(images, output_attentions=True).attentions
    for layer, sequence in ((0, 0), (1, 1)):
        found = lens.edges(data, layer, 1, sequence=sequence)
        want = patterns[layer][sequence, 1].sum(0).numpy()
        received = found["rest_by_key"].values.copy()
        np.add.at(received, found["key"].values, found["weight"].values)
        np.testing.assert_allclose(received, want, rtol=1e-5)
        assert list(found["token"].values[first:]) == [
            f"{r},{c}" for r in range(3) for c in range(3)
        ]


def test_a_picture_without_patches_keeps_no_edges():
    assert PatchGrid.of((3, 24, 25), (8, 8)) is None
    assert PatchGrid.of((3, 24, 24), None) is None


def test_positions_that_are_no_patches_are_not_taken_for_some():
    grid = PatchGrid(3, 2)
    assert grid.first(6) == 0
    assert grid.first(5) is None
    assert grid.first(7 + MOST_EXTRA) is None
    assert grid.facts(5) == {}
    assert grid.words(2) == ["0", "1"]
    assert grid.words(8)[:3] == ["extra 0", "extra 1", "0,0"]
    assert grid.words(8)[-1] == "2,1"


def test_edges_of_images_can_be_left_out():
    data = lens.measure(MODELS["vit"][0]().eval(), torch.rand(1, 3, 24, 24), keep="query", edges=0)
    assert not has_edges(data)
    assert data.attrs["patch_rows"] == 3
