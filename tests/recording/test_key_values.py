"""The values of single keys by query, against all pairs formed in full in float64."""

import numpy as np
import pytest
import torch
from attentions import FORMS, Draws, attention

from dva_lens.kernels.reference import attention as reference
from dva_lens.recording import key_values
from dva_lens.recording.key_values import KEYS, in_the_plane, key_values_of
from dva_lens.recording.tiles import alone

LENGTH = 21
PLACE = torch.arange(LENGTH)


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch):
    monkeypatch.setattr(key_values, "ROWS", 8)


def found_of(call, sequence, queries=LENGTH):
    query, key, values, rule = call
    pattern = reference.pattern(query, key, rule)[sequence]
    own = slice(sequence, sequence + 1)
    parts = (query[own], key[own], alone(values, sequence), alone(rule, sequence))
    return pattern.numpy(), key_values_of(*parts, pattern.sum(1), queries)


@pytest.mark.parametrize("layout", [(2, 4, 2), (2, 1, 1)])
@pytest.mark.parametrize("form", [form for form in FORMS if form != "static"])
def test_values_of_every_form_are_those_of_all_pairs(form, layout):
    call = attention(Draws(layout, LENGTH), form, "window")
    for sequence in range(2):
        pattern, found = found_of(call, sequence)
        pairs = call[2].pairs(PLACE, PLACE, layout[1])[sequence].numpy()
        strongest = np.argsort(-pattern.sum(1), axis=-1, kind="stable")[:, :KEYS]
        np.testing.assert_array_equal(found.key[0], strongest)
        for head, rank in np.ndindex(found.key.shape[1:]):
            key = found.key[0, head, rank]
            seen = ~np.isnan(found.weight[0, head, rank])
            assert seen.tolist() == [key <= place < key + 5 for place in range(LENGTH)]
            given, value = pattern[head, seen, key], pairs[head, seen, key]
            np.testing.assert_allclose(found.weight[0, head, rank][seen], given, rtol=1e-10)
            norm = np.sqrt((value**2).sum(-1))
            np.testing.assert_allclose(found.norm[0, head, rank][seen], norm, rtol=1e-10)
            assert np.isnan(found.norm[0, head, rank][~seen]).all()
            centred = value - value.mean(0)
            total, explained = (centred**2).sum(), found.explained[0, head, rank]
            power = np.linalg.eigvalsh(centred @ centred.T)[::-1]
            places = np.stack([found.first[0, head, rank], found.second[0, head, rank]])[:, seen]
            np.testing.assert_allclose((places**2).sum(1), power[:2], atol=1e-9 * (1 + total))
            if total > 1e-20:
                np.testing.assert_allclose(explained, power[:2].sum() / total, rtol=1e-9)


def test_values_that_are_the_same_for_all_queries_are_not_followed():
    assert found_of(attention(Draws((1, 2, 2), LENGTH), "static", "causal"), 0)[1] is None


def test_the_first_queries_are_followed(monkeypatch):
    monkeypatch.setattr(key_values, "MOST_QUERIES", 9)
    call = attention(Draws((1, 2, 2), LENGTH), "pairwise", "causal")
    assert found_of(call, 0)[1].norm.shape == (1, 2, KEYS, 9)
    assert found_of(call, 0, queries=5)[1].norm.shape == (1, 2, KEYS, 5)


def test_a_plane_is_the_one_of_largest_difference_and_its_directions_do_not_flip():
    rng = np.random.default_rng(2)
    shape = rng.standard_normal((12, 2)) * [3.0, 1.0]
    shape -= shape.mean(0)
    axes = np.linalg.qr(rng.standard_normal((5, 2)))[0]
    seen = np.arange(14) < 12
    value = np.concatenate([shape @ axes.T + 7.0, rng.standard_normal((2, 5))])
    places, explained = in_the_plane(value, seen)
    assert explained == pytest.approx(1.0)
    assert np.isnan(places[12:]).all()
    np.testing.assert_allclose(
        np.linalg.norm(places[:12, None] - places[None, :12], axis=-1),
        np.linalg.norm(shape[:, None] - shape[None], axis=-1),
        atol=1e-9,
    )
    mirrored, _ = in_the_plane(value + 0.0, seen)
    np.testing.assert_array_equal(places, mirrored)


def test_a_key_that_nobody_or_one_query_sees_has_no_plane():
    value = np.ones((3, 4))
    places, explained = in_the_plane(value, np.array([False, True, False]))
    assert places[1].tolist() == [0.0, 0.0]
    assert np.isnan(explained)
    places, explained = in_the_plane(value, np.zeros(3, bool))
    assert np.isnan(places).all()
    assert np.isnan(explained)
