import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from tiny_model import TinyModel

from dva_lens.data.batches import RandomWindows
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe
from dva_lens.training.state import StateFile

RECIPE = Recipe(steps=4, batch=2, length=8, warmup=1)
BATCHES = RandomWindows(np.arange(30) % 20, RECIPE.batch, RECIPE.length, RECIPE.seed)


@pytest.fixture
def place(tmp_path):
    file = StateFile(tmp_path / "new" / "state.safetensors", every=3)
    train(TinyModel(), BATCHES, RECIPE, resume=file)
    return file


def test_the_state_holds_weights_moments_and_curves(place):
    with safe_open(place.path, framework="np") as file:
        names, about = set(file.keys()), file.metadata()
    assert about["step"] == "4"
    assert {"model.read.weight", "optimizer.exp_avg.read.weight", "curve.loss"} <= names
    assert {"random.cpu", "optimizer.exp_avg_sq.read.weight"} <= names


def test_a_state_of_another_recipe_is_refused_with_the_difference(place):
    other = RECIPE.changed(clip=0.5, seed=3)
    with pytest.raises(ValueError, match=r"recipe \(clip 1\.0 -> 0\.5, seed 0 -> 3\); delete it"):
        train(TinyModel(), BATCHES, other, resume=place)


def test_a_state_of_another_model_is_refused(place):
    with pytest.raises(ValueError, match=r"another model: 'embed\.weight' is \(32, 16\) there"):
        train(TinyModel(width=8), BATCHES, RECIPE, resume=place)


@pytest.mark.parametrize("content", [b"", b"rubbish" * 9, None], ids=["empty", "foreign", "cut"])
def test_a_damaged_state_is_refused(place, content):
    place.path.write_bytes(place.path.read_bytes()[:-5] if content is None else content)
    with pytest.raises(ValueError, match=r"is not a whole training state .* delete it to start"):
        train(TinyModel(), BATCHES, RECIPE, resume=place)


def test_a_file_of_weights_that_is_no_state_is_refused(place):
    save_file({"x": np.ones(2)}, place.path)
    with pytest.raises(ValueError, match="is not a training state; delete it"):
        train(TinyModel(), BATCHES, RECIPE, resume=place)


def test_a_flipped_bit_of_a_state_is_noticed(place):
    content = bytearray(place.path.read_bytes())
    content[-1] ^= 1
    place.path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"state.safetensors' does not hold what was written"):
        train(TinyModel(), BATCHES, RECIPE, resume=place)
