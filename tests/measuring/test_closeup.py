"""Edges and tiles of models, against the patterns that the models themselves give."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny

import dva_lens as lens

IDS = np.random.default_rng(3).integers(3, 61, 13)


def pattern_of(model, layer):
    """Return the pattern of a layer as (head, query, key), formed by the model's own code."""
    tokens = torch.as_tensor(IDS)[None]
    with torch.no_grad():
        if hasattr(model, "run_with_cache"):
            return model.run_with_cache(tokens)[1][f"blocks.{layer}.attn.hook_pattern"][0]
        model.set_attn_implementation("eager")
        return model(tokens, output_attentions=True).attentions[layer][0]


MODELS = {
    "llama": lambda: family("llama"),
    "gpt-oss": lambda: family("gpt-oss"),
    "transformer": lambda: tiny("transformer"),
    "dva": lambda: tiny("dva"),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS, scope="module")
def model(request):
    return request.param()


def test_edges_are_those_of_the_models_own_pattern(model):
    want = pattern_of(model, 1)
    found = lens.top_edges(model, IDS, layer=1, count=3, threshold=0.05)
    largest, place = want.topk(3, dim=-1)
    kept = largest > 0.05
    np.testing.assert_allclose(found["weight"], largest[kept], rtol=1e-4)
    rows = kept.nonzero().numpy()
    np.testing.assert_array_equal(found["head"], rows[:, 0])
    np.testing.assert_array_equal(found["query"], rows[:, 1])
    np.testing.assert_array_equal(found["key"], place[kept])
    assert found.attrs["layer"] == 1


def test_tiles_of_one_position_are_the_models_own_pattern(model):
    want = pattern_of(model, 0).numpy()
    heads = [len(want) - 1]
    found = lens.pattern_tiles(
        model, IDS, layer=0, heads=heads, queries=slice(5, 9), resolution=(4, 13)
    )
    assert found["head"].values.tolist() == heads
    assert found["query"].values.tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(
        np.nan_to_num(found["mean"].values), want[heads, 5:9], rtol=1e-4, atol=1e-6
    )


def test_tiles_say_where_they_end():
    found = lens.pattern_tiles(tiny("transformer"), IDS, layer=0, resolution=(3, 2))
    assert found["query"].values.tolist() == [0, 5, 10]
    assert found["query_stop"].values.tolist() == [5, 10, 13]
    assert found["key_stop"].values.tolist() == [7, 13]
    assert int(found["seen"].sum()) == 13 * 14 // 2
    assert found["mean"].dims == ("head", "query", "key")


@pytest.mark.parametrize(
    ("queries", "resolution"),
    [
        (slice(None), (3, 2)),
        (slice(None), (13, 13)),
        (slice(2, 12), (4, 5)),
        (slice(5, 6), (9, 1)),
    ],
)
def test_who_follows_gets_the_same_tiles(queries, resolution):
    model, heard = tiny("transformer"), []
    given = {"layer": 1, "queries": queries, "resolution": resolution}
    want = lens.pattern_tiles(model, IDS, **given)
    found = lens.pattern_tiles(model, IDS, **given, tell=lambda *done: heard.append(done))
    assert heard == [(at + 1, len(heard)) for at in range(len(heard))]
    assert heard
    for name in ("lowest", "mean", "highest"):
        np.testing.assert_allclose(found[name], want[name], rtol=1e-6, atol=1e-7)
    for name in ("seen", "query_stop", "key_stop", "token"):
        np.testing.assert_array_equal(found[name], want[name])


def test_a_look_leaves_the_model_as_it_was():
    model = tiny("transformer").train()
    attend = model.blocks[0].attn.attend
    lens.top_edges(model, IDS, layer=0)
    assert model.training
    assert model.blocks[0].attn.attend is attend


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 3}, "layer must be one of 0 to 2, got 3"),
        ({"layer": 0, "heads": [4]}, r"heads must be some of 0 to 3, got \[4\]"),
        ({"layer": 0, "heads": []}, "heads must be some of 0 to 3"),
    ],
)
def test_layers_and_heads_that_are_not_there_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        lens.top_edges(tiny("transformer"), IDS, **settings)


def test_several_sequences_are_refused():
    with pytest.raises(ValueError, match="at one sequence, got 2"):
        lens.pattern_tiles(tiny("transformer"), np.stack([IDS, IDS]), layer=0)
