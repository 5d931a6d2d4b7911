"""Dynamic values with known answers: static, separable, gated and truly pairwise."""

import numpy as np
import pytest
import records
import tiles
from scipy.special import erf

from dva_lens.statistics.extended.dynamic import (
    PARTS,
    WEIGHTINGS,
    OperatorRank,
    non_affine_share,
)
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.tiles import gather
from dva_lens.statistics.extended.twoway import query_part, sums_of_squares

QUERIES, KEYS, WIDTH = 40, 80, 4


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def parts(seed=0, keys=KEYS):
    generator = np.random.default_rng(seed)
    left = generator.standard_normal((QUERIES, 1, WIDTH))
    return left, generator.standard_normal((1, keys, WIDTH))


FORMS = {
    "static": lambda a, b: b + 0 * a,
    "value-mlp": lambda a, b: gelu(b) + 0 * a,
    "separable": lambda a, b: gelu(a) + gelu(b),
    "query-gate": lambda a, b: (1 + 0.5 * np.tanh(a)) * b,
    "pairwise": lambda a, b: gelu(a + b),
    "pair-gate": lambda a, b: 2 / (1 + np.exp(-2 * a * b)) * b,
}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def interaction(form, weights):
    values = FORMS[form](*parts())[None]
    found = sums_of_squares(values, weights[None], np.eye(WIDTH)[None])[0]
    return found[:3] / found[3]


@pytest.mark.parametrize("concentration", [0.0, 1.0, 2.0])
def test_interaction_is_zero_exactly_for_sums(form, concentration):
    weights = np.exp(concentration * np.random.default_rng(1).standard_normal((QUERIES, KEYS)))
    key, query, pairing = interaction(form, weights)
    assert key + query + pairing == pytest.approx(1.0)
    if form in ("static", "value-mlp"):
        assert key == pytest.approx(1.0)
    if form in ("static", "value-mlp", "separable"):
        assert pairing == pytest.approx(0.0, abs=1e-12)
    else:
        assert pairing > 0.03


@pytest.mark.parametrize("causal", [False, True])
def test_a_planted_interaction_is_recovered(causal):
    generator = np.random.default_rng(2)
    rows, keys, width = 64, 256, 8
    key = generator.standard_normal((1, keys, width)) * np.sqrt(0.5)
    query = generator.standard_normal((rows, 1, width)) * np.sqrt(0.3)
    pairing = generator.standard_normal((rows, keys, width)) * np.sqrt(0.2)
    seen = np.ones((rows, keys)) if not causal else np.tril(np.ones((rows, keys)), keys - rows)
    found = sums_of_squares((key + query + pairing)[None], seen[None], np.eye(width)[None])[0]
    np.testing.assert_allclose(found[:3] / found[3], [0.5, 0.3, 0.2], atol=0.04)


def test_the_least_squares_fit_leaves_nothing_of_a_sum_however_weighted():
    generator = np.random.default_rng(3)
    a, b = parts(3)
    weights = np.tril(generator.uniform(0, 1, (QUERIES, KEYS))) ** 3
    gram = np.diag([1.0, 4.0, 0.0, 2.0])[None]
    found = sums_of_squares((gelu(a) + gelu(b))[None], weights[None], gram)[0]
    assert found[2] / found[3] == pytest.approx(0.0, abs=1e-10)


def test_the_query_part_is_found_up_to_a_constant():
    a, b = parts(4)
    weights = np.tril(np.ones((QUERIES, KEYS)), 10)
    found = query_part((a + b)[None], weights)[0]
    want = a[:, 0] - np.average(a[:, 0], axis=0, weights=weights.sum(1))
    np.testing.assert_allclose(found, want, atol=1e-10)


def test_shares_by_tiles_with_and_without_the_first_key():
    pieces = records.random_causal((32,), heads=2, kv_heads=2, pair=True)
    tile = tiles.tiles_of(pieces, rows=16)
    found = gather(tile, {"shares": MEASURES["value_decomposition"]}, 32)["shares"]
    assert found.shape == (2, len(WEIGHTINGS), len(PARTS))
    np.testing.assert_allclose(found.sum(-1), 1.0)
    assert (found[:, 0, PARTS.index("interaction")] > 0.7).all()


def operator_rank(form, seed=5):
    keys = 10 * WIDTH
    a, b = parts(seed, keys)
    values = FORMS[form](a, b)
    return OperatorRank.of(values[:11]).merge(OperatorRank.of(values[11:])).summary()


def test_the_operator_rank_counts_static_heads(form):
    found = operator_rank(form)
    if form in ("static", "value-mlp", "query-gate"):
        assert found <= 1.0
    elif form == "separable":
        assert found <= 1.0 + 1 / WIDTH
    else:
        assert found > 1.2


def test_the_operator_rank_agrees_with_singular_values():
    values = FORMS["pairwise"](*parts(6, 10 * WIDTH))
    flat = np.moveaxis(values, 1, 2).reshape(-1, 10 * WIDTH)
    energy = np.linalg.svd(flat, compute_uv=False) ** 2
    want = (np.cumsum(energy) / energy.sum() < 0.99).sum() + 1
    assert OperatorRank.of(values).summary() == pytest.approx(want / WIDTH)


def test_too_few_keys_bound_the_rank_and_are_refused():
    with pytest.raises(ValueError, match="at least 8 keys per channel, 32, got 31"):
        OperatorRank.of(FORMS["static"](*parts(7, 31))).summary()


def test_the_non_affine_share_is_zero_for_affine_maps(form):
    a, b = parts(8)
    found = non_affine_share(FORMS[form](a, b), b[0])
    if form in ("static", "query-gate"):
        assert found == pytest.approx(0.0, abs=1e-12)
    else:
        assert found > 0.02


def test_noise_is_not_affine():
    generator = np.random.default_rng(9)
    found = non_affine_share(
        generator.standard_normal((10, 400, 3)), generator.standard_normal((400, 3))
    )
    assert found == pytest.approx(1.0, abs=0.1)


def test_too_few_keys_would_interpolate_and_are_refused():
    a, b = parts(10, 19)
    with pytest.raises(ValueError, match="at least 20 keys, got 19"):
        non_affine_share(FORMS["static"](a, b), b[0])
