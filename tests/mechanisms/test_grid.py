"""Distances on the grid of an image, against a second writing that walks its rows and columns."""

from functools import partial

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, second_writing, softmax
from small_models import SIZE, random_tokens, sharp

import dva_lens as lens
from dva_lens.kernels.blocks import counts
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.visibility.window import WindowedKeys
from dva_lens.models.size import Size
from dva_lens.recording import record

COLUMNS, LENGTH = 5, 23
TOKENS = random_tokens(2, LENGTH)
FADING = {"kind": "decay", "columns": COLUMNS}
DISC = {"kind": "window", "columns": COLUMNS, "length": 4}


def offsets(length, columns):
    """Return how many rows and columns every place is from every other."""
    places = [(row, column) for row in range(length) for column in range(columns)][:length]
    return torch.tensor([[(abs(a - c), abs(b - d)) for c, d in places] for a, b in places])


def within(radius, columns, query, key):
    del key
    rows, aside = offsets(query.shape[1], columns).double().unbind(-1)
    return torch.hypot(rows, aside).lt(radius - 1e-9).tril()


def faded(columns, scores, seen):
    steps = offsets(len(seen), columns).sum(-1).double()
    kept = torch.stack([(1 - 2.0 ** -(2 + 4 * head / 2)) ** steps for head in range(2)])
    return softmax(scores, seen) * kept


def made(**chosen):
    return sharp(SIZE.config(feedforward="none", **chosen))


@pytest.mark.parametrize(("length", "columns"), [(4, 5), (1, 4), (5, 3), (2, 40)])
def test_a_disc_is_its_formula_with_every_gradient(length, columns):
    model = made(visibility={"kind": "window", "length": length, "columns": columns})
    expected = second_writing(model, TOKENS, seen=partial(within, length, columns))
    used = [each for name, each in model.named_parameters() if length > 1 or not _idle(name)]
    assert_one_formula(model, model(TOKENS), expected, used)


def _idle(name):
    """Say whether a weight has no say where queries see themselves alone."""
    return ".query" in name or ".key" in name


@pytest.mark.parametrize("columns", [COLUMNS, 1, 40])
def test_weights_that_fade_on_a_grid_are_their_formula_with_every_gradient(columns):
    model = made(rule={"kind": "decay", "columns": columns})
    expected = second_writing(model, TOKENS, weighed=partial(faded, columns))
    assert_one_formula(model, model(TOKENS), expected)


@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_an_image_is_recorded_by_tiles_as_it_is_materialised(backend):
    model, lengths = made(rule=FADING, visibility=DISC), np.array([LENGTH, 14])
    found = record(model, TOKENS.numpy(), lengths, backend=backend)
    _, cache = model.run_with_cache(TOKENS, lengths=torch.as_tensor(lengths))
    seen = within(4, COLUMNS, TOKENS, None).sum(-1).numpy()
    for layer, taken in enumerate(found.layers):
        pattern = cache["pattern", layer].numpy()
        for text, length in enumerate(lengths):
            rows = pattern[text, :, :length, :length]
            summary = taken.summary
            np.testing.assert_array_equal(summary.visible[text, :length], seen[:length])
            for name, want in (
                ("row_mass", rows.sum(-1)),
                ("first_mass", rows[..., 0]),
                ("largest", rows.max(-1)),
            ):
                had = getattr(summary, name)[text, :, :length]
                np.testing.assert_allclose(had, want, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    "chosen",
    [
        WindowedKeys(columns=5, length=3),
        WindowedKeys(columns=8),
        WindowedKeys(columns=3, length=9),
        WindowedKeys(columns=64, length=1 << 24),
    ],
)
@pytest.mark.parametrize("length", [1, 5, 8, 31])
def test_keys_within_a_radius_are_counted_on_average(chosen, length):
    shape = Size(layers=1, width=8, heads=1, vocabulary=9, context=32).config().shape
    given = torch.ones(1, length, 1, 8)
    rule = chosen.build(shape)(Rule(1.0), given, given)
    counted, _ = counts(rule, length, batch=1, device=torch.device("cpu"))
    assert chosen.keys(shape, length) == pytest.approx(counted.double().mean().item())


def test_a_disc_asks_about_no_key_that_lies_further_back_than_its_reach():
    shape = SIZE.config().shape
    given = torch.ones(1, 30, 2, 16)
    rule = WindowedKeys(columns=5, length=3).build(shape)(Rule(1.0), given, given)
    assert rule.window == 2 * 5 + 2 + 1
    assert bool(rule.visible(torch.tensor([22]), torch.tensor([10]), torch.tensor([0])))


def test_a_pair_says_what_its_steps_on_the_grid_take():
    """Places 12 and 4 of rows of 5 are two rows and two columns from each other."""
    found = lens.pair(made(rule=FADING), TOKENS[0].numpy(), layer=1, head=1, query=12, key=4)
    assert found.factor == pytest.approx((1 - 2.0**-4) ** 4)
    of_scores = made(rule={**FADING, "of": "scores"})
    found = lens.pair(of_scores, TOKENS[0].numpy(), layer=1, head=1, query=12, key=4)
    assert found.bias == pytest.approx(4 * np.log(1 - 2.0**-4))


@pytest.mark.parametrize("chosen", [{"rule": FADING}, {"visibility": DISC}])
def test_a_sequence_of_several_images_is_refused(chosen):
    model = made(**chosen)
    assert (
        model(TOKENS, segments=torch.tensor([[1] * LENGTH, [1] * 9 + [0] * 14])).isfinite().all()
    )
    for segments in ([1] * 9 + [2] * 14, [0] * 9 + [1] * 14):
        with pytest.raises(ValueError, match="with columns a sequence is one image"):
            model(TOKENS[:1], segments=torch.tensor([segments]))
