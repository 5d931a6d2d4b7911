"""Images and texts together, as a processor hands them over."""

import families
import numpy as np
import pytest
import torch
import transformers as tf
from own_models import tiny

import dva_lens as lens
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare

IMAGE = 60
IDS = np.random.default_rng(0).integers(3, 50, (2, 13))
IDS[:, 2:6] = IMAGE
PIXELS = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
TOWER = {**families.SIZES, "intermediate_size": 48, "image_size": 8, "patch_size": 4}


@pytest.fixture(scope="module")
def model():
    """Return a model that sees each image as one block: its tokens see each other both ways."""
    config = tf.PaliGemmaConfig(
        vision_config=tf.SiglipVisionConfig(**TOWER, projection_dim=32),
        text_config=tf.GemmaConfig(**families.GROUPED, head_dim=8),
        image_token_id=IMAGE, projection_dim=32,
    )  # fmt: skip
    torch.manual_seed(0)
    model = tf.PaliGemmaForConditionalGeneration(config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim > 1 and "attn" in key:
                weight.mul_(8.0)
    return model.eval()


def processed(ids=IDS, mask=None):
    mask = np.ones_like(ids) if mask is None else mask
    kinds = (np.cumsum(ids == IMAGE, axis=1) >= 4).astype(np.int64)  # what follows is answered
    kinds = np.where(ids == IMAGE, 0, kinds)
    return {
        "input_ids": ids, "attention_mask": mask, "pixel_values": PIXELS, "token_type_ids": kinds,
    }  # fmt: skip


def test_both_towers_take_part(model):
    data = lens.measure(model, processed(), keep="query")
    given = {name: torch.tensor(each) for name, each in processed().items()}
    model.set_attn_implementation("eager")
    with torch.no_grad():
        output = model(**given, output_attentions=True)
    model.set_attn_implementation("sdpa")
    for layer, pattern in enumerate(output.attentions):
        entropy = -(pattern * torch.where(pattern > 0, pattern, 1.0).log()).sum(-1)
        found = data["entropy_by_query"].values[layer].swapaxes(0, 1)
        np.testing.assert_allclose(found, entropy.numpy(), atol=1e-5)
    other = lens.measure(model, processed() | {"pixel_values": PIXELS[::-1].copy()})
    assert not np.allclose(data["entropy"], other["entropy"], equal_nan=True)


def test_padding_on_the_left_changes_nothing(model):
    left = np.concatenate([np.zeros((2, 3), dtype=np.int64), IDS], axis=1)
    mask = (np.arange(16) >= 3).astype(np.int64)[None].repeat(2, axis=0)
    padded = processed(left, mask)
    sequences = prepare(model, padded, InputOptions()).sequences
    np.testing.assert_array_equal(sequences.tokens(1), IDS[1])
    kinds = sequences.beside["token_type_ids"]
    np.testing.assert_array_equal(kinds, processed()["token_type_ids"])
    found, plain = lens.measure(model, padded), lens.measure(model, processed())
    np.testing.assert_array_equal(found["entropy"], plain["entropy"])


def test_what_a_model_does_not_take_is_refused(model):
    with pytest.raises(TypeError, match="takes no input_features beside tokens"):
        lens.measure(model, processed() | {"input_features": PIXELS})
    with pytest.raises(TypeError, match="takes tokens alone, got pixel_values"):
        lens.measure(tiny("dva"), processed())


def test_a_text_tower_beside_an_image_tower_is_measured_alone():
    config = tf.CLIPConfig(
        text_config={**families.COMMON, "projection_dim": 32},
        vision_config={**TOWER, "projection_dim": 32}, projection_dim=32,
    )  # fmt: skip
    torch.manual_seed(0)
    model = tf.CLIPModel(config).eval()
    found = lens.measure(model, IDS)
    alone = tf.CLIPTextModel(config.text_config)
    alone.load_state_dict(model.text_model.state_dict())
    expected = lens.measure(alone.eval(), IDS)
    np.testing.assert_array_equal(found["entropy"], expected["entropy"])
    both = lens.measure(model, {"input_ids": IDS, "pixel_values": PIXELS})
    np.testing.assert_array_equal(found["entropy"], both["entropy"])
