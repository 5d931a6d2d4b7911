"""One pair of query and key, against what the model itself computes."""

import math

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny

import dva_lens as lens

IDS = np.random.default_rng(3).integers(3, 61, 13)
AT = {"layer": 1, "head": 2, "query": 9, "key": 4}


@pytest.fixture(scope="module")
def llama():
    return family("llama").double()


def eager(model):
    model.set_attn_implementation("eager")
    with torch.no_grad():
        return model(torch.as_tensor(IDS)[None], output_attentions=True).attentions


def test_the_arithmetic_of_a_pair_is_that_of_the_model(llama):
    pattern = eager(llama)[1][0].numpy()[2, 9]
    found = lens.pair(llama, IDS, **AT)
    assert found.weight == pytest.approx(pattern[4], rel=1e-6)
    assert (found.visible, found.rank) == (10, 1 + int((pattern[:10] > pattern[4]).sum()))
    assert found.row_mass == pytest.approx(1.0)
    assert found.logit == pytest.approx(found.dot * found.scale + found.bias, rel=1e-9)
    others = [lens.pair(llama, IDS, **{**AT, "key": key}) for key in range(10)]
    total = sum(math.exp(other.logit) for other in others)
    assert found.weight == pytest.approx(math.exp(found.logit) / total, rel=1e-6)
    assert sum(other.share for other in others) == pytest.approx(1.0, rel=1e-6)
    assert found.static


def test_what_it_writes_goes_through_the_output_projection(llama):
    kept = {}
    attention = llama.model.layers[1].self_attn

    def keep(_module, given):
        kept["mixed"] = given[0][0, 9].detach()

    handle = attention.o_proj.register_forward_pre_hook(keep)
    eager(llama)
    handle.remove()
    found = lens.pair(llama, IDS, **AT)
    width = attention.head_dim
    mixed = kept["mixed"][2 * width : 3 * width]
    weight = attention.o_proj.weight.detach()[:, 2 * width : 3 * width]
    assert found.output_norm == pytest.approx(float((weight @ mixed).norm()), rel=1e-6)


def test_a_dynamic_value_is_that_of_the_pair():
    model = tiny("dva")
    two = [
        lens.pair(model, IDS, layer=1, head=0, query=query, key=3).value_norm for query in (5, 8)
    ]
    data = lens.measure(model, IDS, keep="query", statistics="entropy")
    followed = lens.key_values(data, 1, 0)
    assert two[0] != two[1]
    assert not lens.pair(model, IDS, layer=1, head=0, query=5, key=3).static
    key = int(followed["key"][0])
    found = lens.pair(model, IDS, layer=1, head=0, query=12, key=key)
    assert found.value_norm == pytest.approx(float(followed["norm"][0, 12]), rel=1e-4)
    assert found.weight == pytest.approx(float(followed["weight"][0, 12]), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": 10}, "Query 9 does not see key 10 in layer 1; a query of this layer sees 10"),
        ({"query": 13}, "query must be one of 0 to 12, got 13"),
        ({"layer": 7}, "layer must be one of 0 to"),
        ({"head": 4}, "heads must be some of 0 to 3"),
        ({"sequence": 1}, "sequence must be one of 0 to 0, got 1"),
    ],
)
def test_what_is_not_there_is_named(llama, changes, said):
    with pytest.raises(ValueError, match=said):
        lens.pair(llama, IDS, **{**AT, **changes})


def test_a_softcap_is_a_step_of_its_own():
    found = lens.pair(family("gemma2"), IDS, layer=0, head=0, query=6, key=5)
    capped = found.softcap * math.tanh(found.scale * found.dot / found.softcap)
    assert found.logit == pytest.approx(capped + found.bias)
    assert found.logit != pytest.approx(found.scale * found.dot + found.bias)


@pytest.mark.parametrize("name", ["decay", "alibi", "taylor", "disentangled"])
def test_what_distance_takes_is_a_part_of_the_steps(name):
    model = tiny(name).double()
    found = lens.pair(model, IDS, layer=1, head=2, query=6, key=3)
    _, cache = model.run_with_cache(torch.as_tensor(IDS)[None])
    logit = cache["attn_scores", 1][0, 2, 6, 3].item()
    assert found.logit == pytest.approx(logit, rel=1e-5)
    assert found.weight == pytest.approx(cache["pattern", 1][0, 2, 6, 3].item(), rel=1e-5)
    if name == "disentangled":
        assert found.logit == pytest.approx(found.scale * found.dot + found.bias)
        assert abs(found.bias) > 1e-3
        return
    slope = 2.0 ** (-8 * 3 / 4) if name == "alibi" else 0.0
    assert found.bias == pytest.approx(-3 * slope)
    assert found.factor == pytest.approx((1 - 2.0**-4) ** 3 if name == "decay" else 1.0)


def test_a_model_does_not_run_for_a_position_that_is_not_there(llama, monkeypatch):
    ran = []
    monkeypatch.setattr(
        "dva_lens.measuring.closeup.attention_and_output", lambda *_: ran.append("it")
    )
    with pytest.raises(ValueError, match="query must be one of 0 to 12, got 13"):
        lens.pair(llama, IDS, **AT | {"query": 13})
    assert not ran
