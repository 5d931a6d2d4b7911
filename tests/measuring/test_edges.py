"""The edges that a measurement keeps, against the attentions that transformers puts out itself."""

import numpy as np
import pytest
import torch
from families import family

import dva_lens as lens
from dva_lens.measuring import measure
from dva_lens.results.edges import edge_bytes, edged_sequences, has_edges
from dva_lens.results.schema import EDGES, ArchiveError

IDS = [np.random.default_rng(0).integers(3, 61, length) for length in (29, 13, 40)]
PLENTY = 1 << 24


@pytest.fixture(scope="module")
def model():
    return family("llama").double()


@pytest.fixture(scope="module")
def data(model):
    return measure(model, IDS, keep="query", edges=PLENTY)


@pytest.fixture(scope="module")
def patterns(model):
    own = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        found = [
            model(torch.as_tensor(ids)[None], output_attentions=True).attentions for ids in IDS
        ]
    model.set_attn_implementation(own)
    return [[layer[0].numpy() for layer in each] for each in found]


def test_every_query_keeps_its_largest_weights(data, patterns):
    assert edged_sequences(data) == 3
    for sequence, layers in enumerate(patterns):
        for layer, heads in enumerate(layers):
            for head, pattern in enumerate(heads):
                found = lens.edges(data, layer, head, sequence=sequence)
                due = -np.sort(-pattern, axis=-1)[:, :16]
                weight = found["weight"].values
                np.testing.assert_allclose(weight[:, : due.shape[1]], due, rtol=1e-6, atol=1e-9)
                key = found["key"].values
                listed = key >= 0
                at = np.take_along_axis(pattern, np.where(listed, key, 0), -1)
                np.testing.assert_allclose(weight[listed], at[listed], rtol=1e-6, atol=1e-9)
                row = weight.sum(-1, where=listed) + found["rest"].values
                np.testing.assert_allclose(row, 1.0, atol=1e-6)
                by_key = np.bincount(key[listed], weight[listed], len(pattern))
                by_key += found["rest_by_key"].values
                np.testing.assert_allclose(by_key, pattern.sum(0), rtol=1e-5, atol=1e-6)


def test_shares_of_all_edges_total_one(data):
    found = lens.edges(data, 0, 1, sequence=1)  # 13 tokens: all of them are listed
    np.testing.assert_allclose(np.nansum(found["share"].values, axis=-1), 1.0, atol=1e-5)
    assert found["token"].values.tolist() == [str(token) for token in IDS[1]]


def test_a_budget_cuts_what_does_not_fit(model, data):
    for budget in (edge_bytes(data) // 2, 3000):
        less = measure(model, IDS, keep="query", edges=budget, statistics="entropy")
        assert 0 < edge_bytes(less) <= budget
        one, cut = lens.edges(data, 1, 0), lens.edges(less, 1, 0)
        kept = cut.sizes["query"]
        np.testing.assert_array_equal(cut["weight"], one["weight"][:kept])
        assert cut.sizes["position"] == 29
    assert cut.sizes["query"] < 29


def test_batches_leave_the_edges_as_they_are(model, data):
    again = measure(model, IDS, keep="query", edges=PLENTY, batch=2, statistics="entropy")
    for name in EDGES:
        np.testing.assert_allclose(again[name], data[name], atol=1e-6)


def test_none_are_kept_unless_asked_for(model, data):
    without = measure(model, IDS, keep="query", edges=0, statistics="entropy")
    assert not has_edges(without)
    assert not has_edges(measure(model, IDS, statistics="entropy"))
    with pytest.raises(ArchiveError, match=r"keeps no edges.*--edges"):
        lens.edges(without, 0, 0)
    with pytest.raises(ValueError, match="head must be one of 0 to 3, got 4"):
        lens.edges(data, 0, 4)
    with pytest.raises(ValueError, match="whose edges are kept, of 0 to 2, got 3"):
        lens.edges(data, 0, 0, sequence=3)
    with pytest.raises(ValueError, match="number of bytes, 0 for none, got -1"):
        measure(model, IDS, edges=-1)
