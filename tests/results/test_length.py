"""Exponents in the number of visible keys, where attention was made to follow one."""

import numpy as np
import pytest
from fakes import fake_measurement

from dva_lens.results.collect import collect
from dva_lens.results.length import length_exponents


def planted(seed, exponents, sink):
    """Return entropies of n to the power of an exponent per layer, and a first key of n**sink."""
    data = fake_measurement("model", seed, layers=len(exponents), length=128)
    log = data["entropy_reference"].values
    for layer, exponent in enumerate(exponents):
        data["entropy"][layer] = exponent * log + 0.2
    data["first_key_mass"][:] = 0.5 * np.exp(sink * log)
    return data


def test_planted_exponents_are_found_by_layer_and_seed():
    measured = collect({"m": [planted(0, (0.2, 0.9), -1.0), planted(1, (0.4, 1.0), -0.25)]})
    found = length_exponents(measured).sel(model="m")
    np.testing.assert_allclose(found.values, [[0.2, 0.9], [0.4, 1.0]], atol=1e-5)
    sink = length_exponents(measured, "first_key_mass").sel(model="m")
    np.testing.assert_allclose(sink.values, [[-1.0, -1.0], [-0.25, -0.25]], atol=0.01)


def test_uniform_attention_has_exponent_one():
    data = fake_measurement("even", 0)
    data["entropy"][:] = data["entropy_reference"].values
    assert length_exponents(collect(data)).values == pytest.approx(1.0)


def test_texts_of_a_few_tokens_have_none():
    data = fake_measurement("short", 0, length=5)
    assert np.isnan(length_exponents(collect(data)).values).all()
