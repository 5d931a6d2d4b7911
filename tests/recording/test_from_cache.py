import dataclasses

import numpy as np
import pytest
import torch
from records import random_causal, record_of

from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.measuring import describe
from dva_lens.recording import from_cache, from_patterns, from_qk

LENGTHS = np.array([9, 7])


def _tensor(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)


def _same(found, expected, leaving=()):
    for field in dataclasses.fields(expected):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if field.name not in leaving:
            np.testing.assert_allclose(one, other, atol=1e-9, err_msg=field.name)


def _attention(seed=0, length=9, width=4):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return draw(2, 4, length, width), draw(2, 2, length, width), draw(2, 2, length, width)


class Cache(dict):
    """What an ActivationCache offers of itself: names, tensors and its model."""

    def __init__(self, held, model=None):
        super().__init__(held)
        self.cache_dict, self.model, self.has_batch_dim = held, model, True


def test_patterns_with_values_give_the_materialised_record():
    pieces = random_causal(layers=3)
    expected = record_of(pieces)
    found = from_patterns(
        [_tensor(each) for each in pieces.pattern],
        [_tensor(each) for each in pieces.values],
        output=[_tensor(each) for each in pieces.output],
        lengths=LENGTHS,
    )
    for layer, other in zip(found.layers, expected.layers, strict=True):
        _same(layer.summary, other.summary, leaving=("log_sum_exp",))
        _same(layer.values, other.values)
        _same(layer.dynamics, other.dynamics)
        np.testing.assert_allclose(layer.mix.share, 1.0)
    assert found.tokens[1, 7:].tolist() == [-1, -1]


def test_one_pattern_alone_says_what_it_lacks():
    found = from_patterns(random_causal(layers=1).pattern[0], lengths=LENGTHS)
    assert found.layers[0].values is None
    assert found.layers[0].why_not["values"] == "no values came with the pattern"


def test_layers_must_match():
    pieces = random_causal(layers=2)
    with pytest.raises(ValueError, match="the same layers, got 2, 1 and 2"):
        from_patterns(pieces.pattern, pieces.values[:1], lengths=LENGTHS)


def test_queries_and_keys_give_what_their_pattern_gives():
    query, key, value = _attention()
    weights = Rule(scale=0.5, window=4, sink=torch.zeros(4, dtype=torch.float64))
    output = torch.randn(4, 4, 6, dtype=torch.float64)
    found = from_qk(query, key, value, weights=weights, output=output, backend="reference")
    expected = from_patterns(
        reference.pattern(query, key, weights), value, output=output, window=4
    )
    _same(found.layers[0].summary, expected.layers[0].summary, leaving=("log_sum_exp",))
    _same(found.layers[0].values, expected.layers[0].values)
    _same(found.layers[0].dynamics, expected.layers[0].dynamics)
    assert (found.layers[0].summary.row_mass < 1).all()


def test_arrays_of_numpy_are_taken_like_those_of_torch():
    arrays = _attention()
    output = torch.randn(4, 4, 6, dtype=torch.float64)
    found = from_qk(*(each.numpy() for each in arrays), output=output.numpy())
    expected = from_qk(*arrays, output=output)
    _same(found.layers[0].summary, expected.layers[0].summary)
    _same(found.layers[0].written, expected.layers[0].written)


def test_queries_and_keys_alone_say_nothing_of_values():
    query, key, _ = _attention()
    found = from_qk(query, key, lengths=LENGTHS)
    assert found.layers[0].dynamics is None
    assert np.isnan(found.layers[0].summary.entropy[1, :, 7:]).all()


def _cached(weights=None, *, scores=None):
    query, key, value = _attention()
    pattern = reference.pattern(query, key, weights or Rule(scale=0.5))
    held = {}
    for layer in range(2):
        name = "hook_pattern" if scores is None else "hook_attn_scores"
        held[f"blocks.{layer}.attn.{name}"] = (pattern if scores is None else scores).float()
        held[f"blocks.{layer}.attn.hook_v"] = value.transpose(1, 2).float()
        held[f"blocks.{layer}.hook_resid_post"] = torch.randn(2, 9, 8)
    return Cache(held), pattern, value


def test_a_cache_gives_patterns_values_and_stream():
    cache, pattern, value = _cached()
    found = from_cache(cache)
    expected = from_patterns(pattern, value).layers[0].summary
    np.testing.assert_allclose(found.layers[1].summary.entropy, expected.entropy, atol=1e-5)
    np.testing.assert_allclose(
        found.layers[1].summary.output_norm, expected.output_norm, rtol=1e-5
    )
    assert found.layers[1].stream.norm.shape == (2, 9)


def test_weights_cached_as_scores_are_taken_as_weights():
    _, pattern, _ = _cached()
    found = from_cache(_cached(scores=pattern)[0])
    expected = from_cache(_cached()[0])
    _same(found.layers[0].summary, expected.layers[0].summary, leaving=("log_sum_exp",))


@pytest.mark.parametrize("masked", [-torch.inf, torch.finfo(torch.float32).min])
def test_scores_are_normalised_whatever_masks_them(masked):
    query, key, _ = _attention()
    scores = reference.scores(query, key, Rule(scale=0.5))
    cache, pattern, value = _cached(scores=scores.masked_fill(scores == -torch.inf, masked))
    expected = from_patterns(pattern, value).layers[0].summary
    np.testing.assert_allclose(
        from_cache(cache).layers[0].summary.entropy, expected.entropy, atol=1e-5
    )


def test_rows_below_one_keep_their_mass():
    sink = Rule(scale=0.5, sink=torch.ones(4, dtype=torch.float64))
    cache, pattern, _ = _cached(sink)
    found = from_cache(cache).layers[0].summary
    np.testing.assert_allclose(found.row_mass, pattern.sum(-1), atol=1e-6)


def test_garbage_in_padded_rows_is_left_out():
    cache, pattern, _ = _cached()
    cache.cache_dict["blocks.0.attn.hook_pattern"][1, :, 7:] = 1 / 9
    found = from_cache(cache, lengths=LENGTHS).layers[0].summary
    assert np.isnan(found.entropy[1, :, 7:]).all()
    np.testing.assert_allclose(found.received[1, :, :7], pattern[1, :, :7, :7].sum(1), atol=1e-5)


def test_a_cache_without_patterns_is_refused():
    with pytest.raises(KeyError, match="must hold the pattern of a layer"):
        from_cache(Cache({"blocks.1.attn.hook_v": torch.ones(1, 2, 1, 2)}))


def test_one_layer_of_a_cache_is_recorded_and_the_others_say_why_not():
    whole = _cached()[0]
    part = Cache({name: each for name, each in whole.items() if ".1." in name})
    found, expected = from_cache(part), from_cache(whole)
    _same(found.layers[1].summary, expected.layers[1].summary)
    assert found.layers[0].summary is None
    data = describe(found, statistics=("entropy", "value_drain"))
    np.testing.assert_array_equal(
        data["entropy"][1], describe(expected, statistics="entropy")["entropy"][1]
    )
    assert np.isnan(data["entropy"][0]).all()
    assert data["entropy"].attrs["why_not"] == "the cache does not hold the pattern of layer 0"


@pytest.mark.parametrize("draw", range(20))
def test_rows_of_bfloat16_sum_to_one_within_its_rounding(draw):
    generator = torch.Generator().manual_seed(draw)
    scores = 3 * torch.randn(2, 3, 64, 64, generator=generator).double()
    future = torch.ones(64, 64, dtype=torch.bool).triu(1)
    pattern = torch.softmax(scores.masked_fill(future, -torch.inf), dim=-1)
    rounded = pattern.bfloat16()
    assert rounded.float().sum(-1).max() > 1.001
    found, truth = (from_patterns(each).layers[0].summary for each in (rounded, pattern))
    # p log p of a weight rounded by half an eps of 2**-7 moves by at most eps/2 p |1 + log p|
    limit = 2.0**-8 * (1 + truth.entropy)
    assert (np.abs(found.entropy - truth.entropy) <= limit).all()
    with pytest.raises(ValueError, match=r"Rows of the pattern sum to up to 1\.0"):
        from_patterns((1.02 * pattern).bfloat16())
