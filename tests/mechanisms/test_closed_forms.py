"""Each mechanism against its formula, worked out by hand on small models."""

import pytest
import torch
from materialised import turned, unit
from small_models import SIZE, random_tokens, sharp, sharp_preset
from torch.nn.functional import gelu

from dva_lens.mechanisms.depth_average.denseformer import DenseFormer
from dva_lens.mechanisms.feedforward.none import NoFeedforward
from dva_lens.mechanisms.output.head_gate import HeadGate
from dva_lens.mechanisms.output.neutreno import Neutreno
from dva_lens.mechanisms.value_source.first_layer_mix import FirstLayerMix
from dva_lens.mechanisms.value_source.first_layer_only import FirstLayerOnly
from dva_lens.mechanisms.value_source.token_table import TokenTable
from dva_lens.models.presets import Size, preset

TWO = Size(layers=2, width=32, heads=2, vocabulary=41, context=32)
TOKENS = random_tokens()


def attention_only(**chosen):
    return sharp(TWO.config(feedforward=NoFeedforward(), **chosen))


def by_hand(model, layer, stream, *, value=None, weights=None):
    """Return pattern, own value, attended values and the input of a plain softmax attention."""
    block, heads = model.blocks[layer], model.config.heads
    seen = unit(stream) * block.ln1.weight
    cut = lambda linear: (seen @ linear.weight.T).unflatten(-1, (heads, -1))  # noqa: E731
    own = cut(block.attn.value) if block.attn.value is not None else None
    rotated = [turned(cut(each)) for each in (block.attn.query, block.attn.key)]
    scores = torch.einsum("bqhd,bkhd->bhqk", *rotated) / rotated[0].shape[-1] ** 0.5
    future = torch.ones(scores.shape[-2:]).triu(1).bool()
    pattern = torch.softmax(scores.masked_fill(future, -torch.inf), -1)
    return pattern, own, seen


def mixed(pattern, value):
    return torch.einsum("bhqk,bkhd->bqhd", pattern, value)


def written(model, layer, attended):
    return attended.flatten(2) @ model.blocks[layer].attn.out.weight.T


def logits(model, stream):
    return unit(stream) * model.ln_final.weight @ model.unembed.W_U


def two_layers(model, combine):
    """Return the logits of a two-layer model whose second attention is `combine`d by hand."""
    start = model.W_E[TOKENS]
    pattern, first, _ = by_hand(model, 0, start)
    middle = start + written(model, 0, mixed(pattern, first))
    pattern, own, seen = by_hand(model, 1, middle)
    return logits(model, middle + written(model, 1, combine(pattern, first, own, seen)))


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_plain_attention_is_its_formula():
    model = attention_only()
    same(model(TOKENS), two_layers(model, lambda a, first, own, x: mixed(a, own)))


@pytest.mark.parametrize("shares", [(0.5, 0.5), (2.0, 1.0), (5.0, 1.0)])
def test_a_mix_adds_the_first_layers_values(shares):
    model = attention_only(value_source=FirstLayerMix(first=shares[0], own=shares[1]))
    expected = two_layers(
        model, lambda a, first, own, x: mixed(a, shares[0] * first + shares[1] * own)
    )
    same(model(TOKENS), expected)


def test_svformer_attends_to_the_first_layers_values():
    model = attention_only(value_source=FirstLayerOnly())
    same(model(TOKENS), two_layers(model, lambda a, first, own, x: mixed(a, first)))


def test_neutreno_adds_a_skip_that_is_not_attended():
    model = attention_only(output=Neutreno(strength=0.375))
    expected = two_layers(model, lambda a, first, own, x: mixed(a, own) + 0.375 * (first - own))
    same(model(TOKENS), expected)


def test_neutreno_mixes_by_a_minus_lambda():
    model = attention_only(output=Neutreno(strength=0.375))
    eye = torch.eye(13).double()
    expected = two_layers(
        model, lambda a, first, own, x: mixed(a - 0.375 * eye, own) + 0.375 * first
    )
    same(model(TOKENS), expected)


def test_a_skip_takes_the_mixed_value_where_there_is_a_mix():
    model = attention_only(output=Neutreno(strength=0.25), value_source="first-layer-mix")

    def combine(pattern, first, own, seen):
        value = 0.5 * first + 0.5 * own
        return mixed(pattern, value) + 0.25 * (first - value)

    same(model(TOKENS), two_layers(model, combine))


@pytest.mark.parametrize("per", ["channel", "head"])
def test_a_gate_multiplies_what_was_attended(per):
    model = attention_only(output=HeadGate(per=per))
    weight = model.blocks[1].attn.gate.linear.weight
    first_gate = model.blocks[0].attn.gate.linear.weight
    start = model.W_E[TOKENS]
    pattern, own, seen = by_hand(model, 0, start)
    gate = torch.sigmoid(seen @ first_gate.T).unflatten(-1, (2, -1))
    middle = start + written(model, 0, gate * mixed(pattern, own))
    pattern, own, seen = by_hand(model, 1, middle)
    gate = torch.sigmoid(seen @ weight.T).unflatten(-1, (2, -1))
    same(model(TOKENS), logits(model, middle + written(model, 1, gate * mixed(pattern, own))))


def test_denseformer_averages_the_streams():
    model = attention_only(depth_average=DenseFormer())
    (first, second) = (block.average.weight for block in model.blocks)
    zero = model.W_E[TOKENS]
    pattern, own, _ = by_hand(model, 0, zero)
    one = zero + written(model, 0, mixed(pattern, own))
    read = first[0] * one + first[1] * zero
    pattern, own, _ = by_hand(model, 1, read)
    two = read + written(model, 1, mixed(pattern, own))
    same(model(TOKENS), logits(model, second[0] * two + second[1] * one + second[2] * zero))


def test_denseformer_skips_streams_and_blocks():
    skipping = DenseFormer(dilation=2, period=2)
    assert [skipping.streams(layer) for layer in range(4)] == [(), (2, 0), (), (4, 2, 0)]


def test_layers_share_keys_and_values():
    model = attention_only(share_kv_every=2)
    assert model.blocks[1].attn.key is model.blocks[1].attn.value is None
    start = model.W_E[TOKENS]
    pattern, value, seen = by_hand(model, 0, start)
    middle = start + written(model, 0, mixed(pattern, value))
    later = unit(middle) * model.blocks[1].ln1.weight
    query = turned((later @ model.blocks[1].attn.query.weight.T).unflatten(-1, (2, -1)))
    key = turned((seen @ model.blocks[0].attn.key.weight.T).unflatten(-1, (2, -1)))
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / 4
    pattern = torch.softmax(scores.masked_fill(torch.ones(13, 13).triu(1).bool(), -torch.inf), -1)
    same(model(TOKENS), logits(model, middle + written(model, 1, mixed(pattern, value))))


def test_grouped_heads_use_the_group_of_their_number():
    size = Size(layers=1, width=32, heads=4, vocabulary=41, context=32)
    model = sharp(size.config(kv_heads=2, feedforward="none"))
    wide = sharp(size.config(feedforward="none"))
    held = dict(model.state_dict())
    for name in ("key", "value"):
        weight = held[f"blocks.0.attn.{name}.weight"].unflatten(0, (2, -1))
        held[f"blocks.0.attn.{name}.weight"] = weight[[0, 0, 1, 1]].flatten(0, 1)
    wide.load_state_dict(held)
    same(model(TOKENS), wide(TOKENS))


def test_values_from_a_table_know_no_context():
    model = attention_only(value_source=TokenTable(layers=(1,)))
    table = model.blocks[1].attn.mix.source.weight
    expected = two_layers(
        model, lambda a, first, own, x: mixed(a, table[TOKENS].unflatten(-1, (2, -1)))
    )
    same(model(TOKENS), expected)
    deep = Size(layers=8, width=8, heads=1, vocabulary=9, context=8).config().shape
    assert [TokenTable().looks_up(deep, layer) for layer in (4, 5)] == [False, True]


def test_learnable_plus_divides_its_scale_among_the_layers():
    model = sharp_preset("resformer-learnable-plus")
    source = model.blocks[0].attn.mix.source
    with torch.no_grad():
        source.logits.copy_(torch.tensor([0.3, -1.2]))
        source.scale.fill_(3.0)
    _, cache = model.run_with_cache(TOKENS)
    shares = 3.0 * torch.softmax(torch.tensor([0.3, -1.2]).double(), 0)
    for layer in (1, 2):
        own = model.blocks[layer].attn.mix.source.own_share * cache["v", layer]
        used = cache[f"blocks.{layer}.attn.mix.hook_v"]
        same(used, shares[layer - 1] * cache["v", 0] + own)


def test_the_first_layers_values_receive_gradients_from_later_layers():
    model = sharp_preset("resformer-identity")
    held = []

    def keep(value, hook):
        value.retain_grad()
        held.append(value)

    model.run_with_hooks(TOKENS, fwd_hooks=[("blocks.0.attn.hook_v", keep)], return_type="loss")
    alone = model(TOKENS, return_type="loss")
    alone.backward()
    with_later = model.blocks[0].attn.value.weight.grad.clone()
    model.zero_grad()
    model.blocks[1].attn.mix.source.first_share.zero_()
    model.blocks[2].attn.mix.source.first_share.zero_()
    model(TOKENS, return_type="loss").backward()
    assert not torch.allclose(with_later, model.blocks[0].attn.value.weight.grad)


def test_a_swiglu_and_a_gelu_network_are_their_formulas():
    model = sharp_preset("transformer")
    _, cache = model.run_with_cache(TOKENS)
    block, middle = model.blocks[1], cache["resid_mid", 1]
    seen = unit(middle) * block.ln2.weight
    gate, up = seen @ block.mlp.W_gate, seen @ block.mlp.W_in
    same(cache["mlp_out", 1], (gate * torch.sigmoid(gate) * up) @ block.mlp.W_out)
    model = sharp(preset("gpt2-style", SIZE))
    _, cache = model.run_with_cache(TOKENS)
    block, middle = model.blocks[1], cache["resid_mid", 1]
    seen = torch.nn.functional.layer_norm(
        middle, (32,), block.ln2.weight, block.ln2.bias, eps=1e-5
    )
    hidden = gelu(seen @ block.mlp.W_in + block.mlp.up.bias, approximate="tanh")
    same(cache["mlp_out", 1], hidden @ block.mlp.W_out + block.mlp.b_out)
