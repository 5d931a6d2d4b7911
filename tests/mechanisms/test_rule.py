from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp, sharp_preset
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

from dva_lens.mechanisms.rule.decay import DecayRule
from dva_lens.mechanisms.rule.learned_sink import LearnedSink
from dva_lens.mechanisms.rule.linear import positive
from dva_lens.mechanisms.rule.sigmoid import Sigmoid
from dva_lens.recording import record

TOKENS = random_tokens()


def test_a_learned_sink_is_that_of_gpt_oss():
    model = sharp(SIZE.config(rule=LearnedSink(), kv_heads=1))
    _, cache = model.run_with_cache(TOKENS)
    for layer, block in enumerate(model.blocks):
        query, key, value = (
            cache[name, layer].transpose(1, 2) for name in ("rot_q", "rot_k", "v")
        )
        theirs = SimpleNamespace(
            sinks=block.attn.rule.sink, num_key_value_groups=2, training=False
        )
        future = torch.full((13, 13), -torch.inf).triu(1).double()[None, None]
        out, pattern = eager_attention_forward(theirs, query, key, value, future, scaling=0.25)
        torch.testing.assert_close(cache["z", layer], out)
        torch.testing.assert_close(cache["pattern", layer], pattern)


def test_off_by_one_adds_one_to_the_sum():
    model = sharp_preset("softmax-off-by-one")
    _, cache = model.run_with_cache(TOKENS)
    raised = cache["attn_scores", 1].exp()
    torch.testing.assert_close(cache["pattern", 1], raised / (1 + raised.sum(-1, keepdim=True)))


@pytest.mark.parametrize("bias", [None, -2.0])
def test_sigmoid_weights_stand_alone(bias):
    model = sharp(SIZE.config(rule=Sigmoid(bias=bias)))
    _, cache = model.run_with_cache(TOKENS)
    scores = torch.einsum("bqhd,bkhd->bhqk", cache["rot_q", 1], cache["rot_k", 1]) / 4
    shift = -torch.tensor(32.0).double().log() if bias is None else bias
    expected = torch.sigmoid(scores + shift) * torch.ones(13, 13).tril()
    torch.testing.assert_close(cache["pattern", 1], expected)


def test_an_untrained_row_of_sigmoid_weights_grows_to_a_mass_of_one():
    model = sharp_preset("sigmoid", scale=1e-6)
    with torch.no_grad():
        for name, each in model.named_parameters():
            if "query" in name:
                each.zero_()
    _, cache = model.run_with_cache(random_tokens(1, 32))
    mass = cache["pattern", 0].sum(-1)[0, 0]
    torch.testing.assert_close(mass, torch.arange(1, 33).double() / 33)


@pytest.mark.parametrize("of", ["weights", "scores"])
def test_a_decay_is_its_formula(of):
    model = sharp(SIZE.config(rule=DecayRule(of=of)))
    _, cache = model.run_with_cache(TOKENS)
    scores = torch.einsum("bqhd,bkhd->bhqk", cache["rot_q", 1], cache["rot_k", 1]) / 4
    hidden = torch.ones(13, 13).triu(1).bool()
    gap = (torch.arange(13)[:, None] - torch.arange(13)).abs()
    kept = torch.stack([(1 - 2.0 ** -(2 + 4 * head / 2)) ** gap.double() for head in range(2)])
    if of == "weights":
        expected = scores.masked_fill(hidden, -torch.inf).softmax(-1) * kept
    else:
        raised = (scores.exp() * kept).masked_fill(hidden, 0.0)
        expected = raised / raised.sum(-1, keepdim=True)
    torch.testing.assert_close(cache["pattern", 1], expected)


def test_alibi_is_that_of_mpt():
    model = sharp(SIZE.config(rule="alibi", positions="none", heads=4))
    _, cache = model.run_with_cache(TOKENS)
    added = build_mpt_alibi_tensor(4, 13).double()
    scores = torch.einsum("bqhd,bkhd->bhqk", cache["q", 1], cache["k", 1]) / 8**0.5 + added
    hidden = torch.ones(13, 13).triu(1).bool()
    expected = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    torch.testing.assert_close(cache["pattern", 1], expected)


def test_relu_weights_are_their_formula():
    model = sharp_preset("relu")
    _, cache = model.run_with_cache(TOKENS)
    scores = torch.einsum("bqhd,bkhd->bhqk", cache["rot_q", 1], cache["rot_k", 1]) / 4
    counts = torch.arange(1, 14).double()[:, None]
    expected = torch.maximum(scores, torch.zeros_like(scores)).tril() / counts
    torch.testing.assert_close(cache["pattern", 1], expected)
    assert (expected.tril() == 0).double().mean() > 0.5


def test_linear_weights_are_the_recurrence_of_a_running_sum():
    """The second writing keeps a sum of key features and values, and forms no pair."""
    config = SIZE.config(rule="linear", positions="learned")
    model = sharp(config)
    _, cache = model.run_with_cache(TOKENS)
    query, key = (F.elu(cache[name, 1]) + 1 for name in ("q", "k"))
    value, state, total = cache["v", 1], 0.0, 0.0
    for place in range(13):
        state = state + torch.einsum("bhd,bhe->bhde", key[:, place], value[:, place])
        total = total + key[:, place]
        above = torch.einsum("bhd,bhde->bhe", query[:, place], state)
        below = (query[:, place] * total).sum(-1, keepdim=True)
        torch.testing.assert_close(cache["z", 1][:, place], above / below, rtol=1e-9, atol=1e-9)


def test_small_features_keep_their_digits():
    far = torch.tensor([-60.0, -1e-3, 0.0, 2.5])
    found = positive(far)
    torch.testing.assert_close(found, torch.tensor([-60.0, -1e-3, 0.0, 0.0]).exp() + F.relu(far))
    assert found[0] > 0


def test_a_decay_leaves_no_sink_far_away():
    """Whatever scores are, the weight on a key is at most the factor of its distance."""
    found = record(tiny("decay", context=64, sharp=20.0), tokens_of([64]))
    rates = (1 - 2.0 ** -(2 + np.arange(4)))[:, None]
    most = rates ** np.arange(64)
    for layer in found.layers:
        assert (layer.summary.first_mass[0] <= most + 1e-6).all()
        assert (layer.summary.row_mass[0, :, 1:] < 1).all()
