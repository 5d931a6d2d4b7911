import numpy as np
import pytest
import torch
from tiny_model import TinyModel
from torch import nn

from dva_lens.data.batches import RandomWindows
from dva_lens.training.log import TrainingProgress
from dva_lens.training.loop import held_out_loss, train
from dva_lens.training.recipe import Recipe
from dva_lens.training.state import StateFile

RECIPE = Recipe(steps=40, batch=4, length=16, learning_rate=0.02, warmup=4, eval_every=10)


@pytest.fixture
def batches():
    stream = np.tile(np.arange(20), 50)
    return RandomWindows(stream, RECIPE.batch, RECIPE.length, RECIPE.seed)


def same_weights(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_the_loss_falls_and_the_log_says_so(batches):
    model = TinyModel()
    held_out = batches(1000)
    before = held_out_loss(model, held_out, batch=3)
    log = train(model, batches, RECIPE, held_out=held_out)
    assert log.loss[0] == pytest.approx(np.log(32), rel=0.1)
    assert log.final_loss < before / 2
    assert log.final_loss == held_out_loss(model, held_out, batch=RECIPE.batch)
    assert np.flatnonzero(~np.isnan(log.held_out_loss)).tolist() == [9, 19, 29, 39]
    assert (np.diff(log.seconds) > 0).all()
    assert log.tokens[-1] == 40 * 4 * 16


def test_the_held_out_loss_does_not_depend_on_the_portion(batches):
    model, tokens = TinyModel(), batches(0)
    whole = held_out_loss(model, tokens, batch=4)
    assert held_out_loss(model, tokens, batch=3) == pytest.approx(whole)
    logits = model(torch.from_numpy(tokens)[:, :-1]).detach()
    chosen = torch.log_softmax(logits.double(), -1).gather(
        -1, torch.from_numpy(tokens)[:, 1:, None]
    )
    assert whole == pytest.approx(-chosen.mean().item())


class Noisy(TinyModel):
    """A model whose forward draws random numbers, so that the random state matters."""

    def forward(self, tokens):
        logits = super().forward(tokens)
        return logits + 0.1 * torch.randn_like(logits) if self.training else logits


def test_the_same_seed_gives_the_same_bits_and_looking_changes_none(batches):
    plain, watched = Noisy(), Noisy()
    seen, reports = [], []

    def look(step, model):
        assert not model.training
        torch.manual_seed(99)
        torch.rand(3)
        seen.append(step)

    before = torch.get_rng_state()
    first = train(plain, batches, RECIPE)
    again = train(
        watched, batches, RECIPE, held_out=batches(9), on_step=look, progress=reports.append
    )
    assert same_weights(plain, watched)
    np.testing.assert_array_equal(first.loss, again.loss)
    assert tuple(seen) == RECIPE.measure_steps
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(reports[-1], TrainingProgress)
    assert (reports[-1].step, reports[-1].steps, reports[-1].seconds_left) == (40, 40, 0)
    assert reports[0].seconds_left > 0


def test_a_killed_training_continues_bit_for_bit(batches, tmp_path):
    whole, broken, continued = Noisy(), Noisy(), Noisy(seed=5)
    log = train(whole, batches, RECIPE, held_out=batches(9))
    place = StateFile(tmp_path / "state.safetensors", every=7)

    def kill(progress):
        if progress.step == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(broken, batches, RECIPE, held_out=batches(9), progress=kill, resume=place)
    seen = []
    resumed = train(
        continued,
        batches,
        RECIPE,
        held_out=batches(9),
        on_step=lambda step, model: seen.append(step),
        resume=place,
    )
    assert same_weights(whole, continued)
    np.testing.assert_array_equal(log.loss, resumed.loss)
    np.testing.assert_array_equal(log.held_out_loss, resumed.held_out_loss)
    assert seen == [step for step in RECIPE.measure_steps if step > 21]
    assert [file.name for file in tmp_path.iterdir()] == ["state.safetensors"]
    finished = TinyModel(seed=7)
    train(finished, batches, RECIPE, resume=place)
    assert same_weights(whole, finished)


def test_a_loss_that_is_not_finite_ends_the_training_and_names_the_step(batches):
    class Breaks(TinyModel):
        calls = 0

        def forward(self, tokens):
            self.calls += 1
            return super().forward(tokens) * (float("nan") if self.calls == 6 else 1.0)

    with pytest.raises(FloatingPointError, match=r"nan at step 6 of 40; lower learning_rate"):
        train(Breaks(), batches, RECIPE)


def test_a_model_without_parameters_is_refused(batches):
    model = TinyModel().requires_grad_(False)
    with pytest.raises(ValueError, match="no trainable parameters"):
        train(model, batches, RECIPE)


def test_tied_weights_survive_a_resumption(batches, tmp_path):
    def tied():
        model = TinyModel()
        model.embed.weight = model.read.weight = nn.Parameter(torch.ones(32, 16) / 10)
        return model

    recipe = RECIPE.changed(steps=6)
    place = StateFile(tmp_path / "state.safetensors")
    whole, restored = tied(), tied()
    train(whole, batches, recipe, resume=place)
    train(restored, batches, recipe, resume=place)
    assert same_weights(whole, restored)
    assert restored.embed.weight is restored.read.weight
