import pytest

from dva_lens.training.recipe import Recipe, measure_steps

RECIPE = Recipe(steps=100, batch=2, length=8, warmup=10)


def test_a_recipe_survives_plain_values():
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE
    assert Recipe.from_dict({"steps": 200, "batch": 1, "length": 4}).betas == (0.9, 0.95)


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(
        ValueError,
        match=r"key 'lr' in a recipe; the keys.* key 'batches' in a recipe \(.*'batch'\?",
    ):
        Recipe.from_dict({**RECIPE.to_dict(), "lr": 1, "batches": 2})


def test_missing_keys_are_named():
    with pytest.raises(
        ValueError,
        match=r"A recipe lacks batch; it needs steps, batch, length\. A recipe lacks length",
    ):
        Recipe.from_dict({"steps": 3})


def test_the_rate_rises_linearly_and_falls_along_a_cosine():
    assert RECIPE.rate(0) == pytest.approx(6e-5)
    assert RECIPE.rate(4) == pytest.approx(3e-4)
    assert RECIPE.rate(9) == RECIPE.rate(10) == RECIPE.learning_rate
    assert RECIPE.rate(99) == pytest.approx(RECIPE.final_learning_rate)
    falling = [RECIPE.rate(step) for step in range(10, 100)]
    assert falling == sorted(falling, reverse=True)
    middle = RECIPE.changed(steps=101, warmup=0)
    assert middle.rate(50) == pytest.approx((6e-4 + 6e-5) / 2)


def test_measurements_are_log_spaced_and_end_with_the_training():
    assert measure_steps(1000, 4) == (0, 1, 10, 100, 1000)
    assert measure_steps(3, 10) == (0, 1, 2, 3)
    assert measure_steps(50, 1) == (0, 50)
    assert RECIPE.measure_steps[-1] == RECIPE.steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch": -1}, "batch must be at least 1, got -1"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, got nan"),
        ({"learning_rate": 0}, "learning_rate must be more than 0, got 0"),
        ({"warmup": -1}, "warmup must be at least 0, got -1"),
        ({"steps": 2.5}, r"steps must be a whole number, got 2\.5"),
        ({"batch": True}, "batch must be a whole number, got true"),
        ({"measurements": 10**9}, "measurements must be at most 10000, got 1000000000"),
        ({"steps": 10**12}, "steps must be at most"),
        ({"betas": [0.9, 1]}, r"betas\[1\] must be less than 1, got 1"),
        ({"betas": [0.9]}, r"betas must be a list of more than 1, got \(0.9,\)"),
        ({"bf16": "no"}, "bf16 must be true or false, got 'no'"),
        ({"warmup": 100}, "less than steps=100, got 100"),
    ],
)
def test_an_impossible_recipe_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        RECIPE.changed(**change)
