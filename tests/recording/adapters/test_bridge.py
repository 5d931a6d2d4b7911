import numpy as np
import pytest
import torch
from families import family

import dva_lens as lens
from dva_lens.diagnostics.ablation import head_importance
from dva_lens.measuring import describe
from dva_lens.recording import from_cache, record
from dva_lens.results.schema import EDGES
from dva_lens.sites import LOSS

LENGTHS = np.array([13, 8])
ARCHITECTURES = {
    "gpt2": "GPT2LMHeadModel",
    "gemma3": "Gemma3ForCausalLM",
    "gpt-oss": "GptOssForCausalLM",
}


def _bridge(name):
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    model = family(name)
    return build_bridge_from_module(model, ARCHITECTURES[name], hf_config=model.config)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.filterwarnings("ignore")
def test_a_bridge_is_recorded_as_the_model_inside_it(name):
    ids = np.random.default_rng(0).integers(3, 61, (2, 13))
    found = record(_bridge(name), ids, LENGTHS)
    expected = record(family(name), ids, LENGTHS)
    tolerance = 256 * torch.finfo(torch.float32).eps
    for layer, other in zip(found.layers, expected.layers, strict=True):
        for site in ("summary", "values", "dynamics", "stream"):
            one, two = getattr(layer, site), getattr(other, site)
            for field in vars(two):
                if field != "log_sum_exp":
                    np.testing.assert_allclose(
                        getattr(one, field), getattr(two, field),
                        atol=tolerance, rtol=tolerance, err_msg=field,
                    )  # fmt: skip
    np.testing.assert_allclose(found.loss, expected.loss, atol=tolerance)
    assert found.provenance["backend"] == "transformerlens"


@pytest.mark.filterwarnings("ignore")
def test_a_bridge_keeps_no_hook():
    bridge = _bridge("gpt2")
    record(bridge, np.zeros((1, 5), dtype=np.int64), sites=(LOSS,))
    record(bridge, np.zeros((1, 5), dtype=np.int64))
    assert not any(hook.fwd_hooks for hook in bridge.hook_dict.values())


@pytest.mark.filterwarnings("ignore")
def test_heads_of_a_bridge_are_taken_out_by_its_own_hooks():
    with pytest.raises(TypeError, match="computes attention itself; use its own hooks"):
        head_importance(_bridge("gpt2"), np.zeros((1, 5), dtype=np.int64))


@pytest.mark.filterwarnings("ignore")
def test_the_cache_of_a_bridge_is_described_as_its_model_is_measured():
    ids = np.random.default_rng(0).integers(3, 61, (2, 13))
    bridge = _bridge("gpt-oss")
    _, cache = bridge.run_with_cache(torch.tensor(ids))
    found = describe(from_cache(cache, window=(5, None)))
    expected = lens.measure(lens.load(bridge), ids)
    for name in ("entropy", "largest_weight", "value_drain"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    assert expected.attrs["architecture"] == "TransformerBridge of GptOssForCausalLM"


@pytest.mark.filterwarnings("ignore")
def test_a_bridge_keeps_the_edges_of_the_model_inside_it():
    ids = np.random.default_rng(0).integers(3, 61, (2, 23))
    found, expected = (
        lens.measure(each, ids, statistics="gini", keep="query", tokenizer=None)
        for each in (_bridge("gpt2"), family("gpt2"))
    )
    for name in EDGES:
        assert found[name].dims == expected[name].dims
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
