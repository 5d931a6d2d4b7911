from types import SimpleNamespace

import pytest
import torch
from small_models import SIZE, random_tokens, sharp, sharp_preset
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward

from dva_lens.mechanisms.rule.learned_sink import LearnedSink
from dva_lens.mechanisms.rule.sigmoid import Sigmoid

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
