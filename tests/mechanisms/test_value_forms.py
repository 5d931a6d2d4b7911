"""The ladder of value forms: formulas, and which of them only seem to depend on the pair."""

import pytest
import torch
from small_models import SIZE, random_tokens, sharp
from torch.nn.functional import gelu

from dva_lens.kernels.blocked.moments import dynamics
from dva_lens.mechanisms.feedforward.none import NoFeedforward
from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.mechanisms.value_source.first_layer_mix import FirstLayerMix
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset

TOKENS = random_tokens()
EVERY = torch.arange(13)
LAYER = 1
PAIRED = [name for name, form in VALUE_FORMS.items() if form.paired]
COLLAPSING = [name for name in VALUE_FORMS if name not in PAIRED]
OPTIONS = {"relative": {"clip": 4}}
BY_POSITION = ("relative",)


def model_of(form, **chosen):
    """Return a sharp model; gates that start at zero are opened."""
    chosen = {"feedforward": NoFeedforward(), "kv_heads": 1} | chosen
    return sharp(SIZE.config(value_form=VALUE_FORMS[form](**OPTIONS.get(form, {})), **chosen))


def seen(model):
    """Return all pairs' values, and queries, keys, own values and pattern of a layer."""
    with torch.no_grad():
        pairs = model.dynamic_values(TOKENS, LAYER, EVERY, EVERY)
        _, cache = model.run_with_cache(TOKENS)
    group = model.config.heads // model.config.kv_heads
    query, key, value = (cache[name, LAYER].transpose(1, 2) for name in "qkv")
    key, value = (each.repeat_interleave(group, 1) for each in (key, value))
    return pairs, query, key, value, cache


def parts_of(model):
    form = model.blocks[LAYER].attn.mix.form
    return getattr(form, "query_map", None), getattr(form, "key_map", None)


def mapped(head_map, heads):
    return torch.einsum("bhni,hio->bhno", heads, head_map.weight)


def at_query(each):
    return each[:, :, :, None]


def at_key(each):
    return each[:, :, None]


def static(model, query, key, value):
    return at_key(value).expand(-1, -1, 13, -1, -1)


def value_mlp(model, query, key, value):
    return at_key(gelu(value + parts_of(model)[1].bias)).expand(-1, -1, 13, -1, -1)


def query_gate(model, query, key, value):
    return at_query(2 * torch.sigmoid(mapped(parts_of(model)[0], query))) * at_key(value)


def summands(model, query, value):
    asks, offers = parts_of(model)
    return at_query(mapped(asks, query) + asks.bias[:, None]), at_key(value + offers.bias)


def separable(model, query, key, value):
    left, right = summands(model, query, value)
    return gelu(left) + gelu(right)


def pairwise(model, query, key, value):
    left, right = summands(model, query, value)
    return gelu(left + right)


def query_value(model, query, key, value):
    form = model.blocks[LAYER].attn.mix.form
    left = mapped(form.query_map, query) + form.query_map.bias[:, None]
    right = torch.einsum("bhni,io->bhno", value, form.value_map.weight[0])
    return at_key(value) + gelu(at_query(left) + at_key(right))


def factors(model, query, key):
    asks, offers = parts_of(model)
    return mapped(asks, query), torch.einsum("bhni,io->bhno", key, offers.weight[0])


def pair_gate(model, query, key, value):
    left, right = factors(model, query, key)
    return 2 * torch.sigmoid(at_query(left) * at_key(right)) * at_key(value)


def experts(model, query, key, value):
    left, right = (each.unflatten(-1, (4, 16)) for each in factors(model, query, key))
    choice = torch.softmax(torch.einsum("bhqrm,bhkrm->bhqkr", left, right) / 4, -1)
    return torch.einsum("bhqkr,bhkrd->bhqkd", choice, value.unflatten(-1, (4, -1)))


def relative(model, query, key, value):
    learned = model.blocks[LAYER].attn.mix.form.weight
    moves = torch.zeros(learned.shape[0], 13, 13, learned.shape[2], dtype=learned.dtype)
    for i in range(13):
        for j in range(i + 1):
            moves[:, i, j] = learned[:, min(i - j, 4)]
    return at_key(value) + moves


def largest(logits, count):
    """Return sigmoids of the largest, and zeros."""
    least = logits.sort(-1).values[..., -count, None]
    return torch.where(logits >= least, torch.sigmoid(logits), 0.0)


def normalised(model):
    with torch.no_grad():
        _, cache = model.run_with_cache(TOKENS)
        return model.blocks[LAYER].ln1(cache["resid_pre", LAYER])


def switch_head(model, query, key, value):
    form, stream = model.blocks[LAYER].attn.mix.form, normalised(model)
    asks = largest((stream @ form.query_gate.weight.T).unflatten(-1, (2, 4)), 2).transpose(1, 2)
    offers = largest(stream @ form.key_gate.weight.T, 2)[:, None]
    chosen = torch.einsum(
        "bhnf,bhnfd->bhnd", offers.expand(-1, 2, -1, -1), value.unflatten(-1, (4, -1))
    )
    return torch.einsum("bhqe,bhkd->bhqked", asks, chosen).flatten(-2)


FORMULAS = {
    "static": static,
    "value-mlp": value_mlp,
    "query-gate": query_gate,
    "separable": separable,
    "pairwise": pairwise,
    "pair-gate": pair_gate,
    "experts": experts,
    "query-value": query_value,
    "relative": relative,
    "switch-head": switch_head,
}
OF_THE_KEY = ("static", "value-mlp")
SUMS = (*OF_THE_KEY, "separable")


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_their_formula(name):
    model = model_of(name)
    pairs, query, key, value, _ = seen(model)
    torch.testing.assert_close(pairs, FORMULAS[name](model, query, key, value))


@pytest.mark.parametrize("name", VALUE_FORMS)
def test_values_do_not_depend_on_where_a_pair_stands(name):
    """Queries and keys come in before rotary position: the same tokens later, the same values.

    What values by distance leave in the stream tells positions apart, so they are seen in the
    first layer.
    """
    model = model_of(name)
    repeated = torch.full((1, 13), 7)
    with torch.no_grad():
        pairs = model.dynamic_values(repeated, 0 if name in BY_POSITION else LAYER, EVERY, EVERY)
    torch.testing.assert_close(pairs[:, :, 1:, 1:], pairs[:, :, :-1, :-1])
    if name not in BY_POSITION:
        torch.testing.assert_close(pairs, pairs[:, :, :1, :1].expand_as(pairs))


def test_positions_taken_out_of_a_text_keep_their_distances():
    model = model_of("relative")
    some = torch.tensor([11, 2, 6])
    with torch.no_grad():
        every = model.dynamic_values(TOKENS, LAYER, EVERY, EVERY)
        few = model.dynamic_values(TOKENS, LAYER, some, some)
    torch.testing.assert_close(few, every[:, :, some][:, :, :, some])


@pytest.mark.parametrize("rule", ["softmax", "sigmoid", "learned-sink"])
def test_relative_values_are_masses_by_distance(rule):
    model = sharp(SIZE.config(value_form={"kind": "relative", "clip": 3}, kv_heads=1, rule=rule))
    _, _, _, value, cache = seen(model)
    pattern, weight = cache["pattern", LAYER], model.blocks[LAYER].attn.mix.form.weight
    gap = (EVERY[:, None] - EVERY).clamp(max=3)
    masses = torch.stack([(pattern * (gap == each)).sum(-1) for each in range(4)], -1)
    expected = pattern @ value + masses @ weight
    torch.testing.assert_close(cache["z", LAYER].transpose(1, 2), expected)


def interaction(pairs, pattern):
    """Return the share of the centred variance of v_ij that is neither of i nor of j alone."""
    del pattern
    centred = pairs - pairs.mean((2, 3), keepdim=True)
    rest = centred - centred.mean(2, keepdim=True) - centred.mean(3, keepdim=True)
    return float(rest.square().sum() / centred.square().sum())


@pytest.mark.parametrize("name", FORMULAS)
def test_interaction_is_zero_for_what_collapses_into_a_sum(name):
    pairs, *_, cache = seen(model_of(name))
    found = interaction(pairs, cache["pattern", LAYER])
    if name in SUMS:
        assert found < 1e-12
    else:
        assert found > 1e-4


@pytest.mark.parametrize("name", FORMULAS)
def test_dynamism_is_zero_for_values_of_the_key_alone(name):
    model = model_of(name)
    found = []
    attention = model.blocks[LAYER].attn
    own = attention.attend

    def attend(query, key, values, weights):
        power, mean_power = dynamics(query, key, values, weights)[:2]
        found.append(1 - mean_power / power)
        return own(query, key, values, weights)

    attention.attend = attend
    with torch.no_grad():
        model(TOKENS)
    if name in OF_THE_KEY:
        torch.testing.assert_close(found[0], torch.zeros_like(found[0]), rtol=0, atol=1e-10)
    else:
        assert found[0].min() > 1e-4


def test_a_query_gate_is_a_gate_after_attention():
    model = model_of("query-gate")
    _, query, _, value, cache = seen(model)
    gate = 2 * torch.sigmoid(mapped(parts_of(model)[0], query))
    expected = gate * (cache["pattern", LAYER] @ value)
    torch.testing.assert_close(cache["z", LAYER].transpose(1, 2), expected)


def test_separable_values_are_a_branch_beside_attention():
    model = model_of("separable")
    _, query, _, value, cache = seen(model)
    asks, offers = parts_of(model)
    branch = gelu(mapped(asks, query) + asks.bias[:, None])
    expected = cache["pattern", LAYER] @ gelu(value + offers.bias) + branch
    torch.testing.assert_close(cache["z", LAYER].transpose(1, 2), expected)


@pytest.mark.parametrize("rule", ["sigmoid", "learned-sink"])
def test_the_branch_is_weighed_by_the_mass_of_the_row(rule):
    model = sharp(
        SIZE.config(feedforward=NoFeedforward(), kv_heads=1).changed(
            value_form="separable", rule=rule
        )
    )
    _, query, _, value, cache = seen(model)
    asks, offers = parts_of(model)
    pattern = cache["pattern", LAYER]
    branch = pattern.sum(-1, keepdim=True) * gelu(mapped(asks, query) + asks.bias[:, None])
    torch.testing.assert_close(
        cache["z", LAYER].transpose(1, 2), pattern @ gelu(value + offers.bias) + branch
    )
    with torch.no_grad():
        logits = model(TOKENS)
        watched, _ = model.run_with_cache(TOKENS)
    torch.testing.assert_close(logits, watched)


def test_switch_head_sums_over_the_chosen_maps_in_and_out():
    model = sharp(
        SIZE.config(value_form={"kind": "switch-head", "experts": 3, "active": 2}, kv_heads=1)
    )
    attn, stream = model.blocks[LAYER].attn, normalised(model)
    _, cache = model.run_with_cache(TOKENS, names_filter=lambda name: "blocks.1" in name)
    pattern, width = cache["pattern", LAYER], model.config.value_dim
    into = attn.value.weight.unflatten(0, (3, width))
    back = attn.out.weight.unflatten(1, (2, 3, width))
    expected = torch.zeros_like(stream)
    for text in range(len(stream)):
        values = torch.zeros(13, width, dtype=stream.dtype)
        for j in range(13):
            scores = attn.mix.form.key_gate.weight @ stream[text, j]
            for f in scores.topk(2).indices:
                values[j] += torch.sigmoid(scores[f]) * (into[f] @ stream[text, j])
        for i in range(13):
            scores = attn.mix.form.query_gate.weight @ stream[text, i]
            for head in range(2):
                mixed, own = pattern[text, head, i] @ values, scores[3 * head : 3 * head + 3]
                for e in own.topk(2).indices:
                    expected[text, i] += torch.sigmoid(own[e]) * (back[:, head, e] @ mixed)
    torch.testing.assert_close(cache["attn_out", LAYER], expected)


def test_gates_of_experts_can_be_edited_on_either_side():
    model = model_of("switch-head")
    name = f"blocks.{LAYER}.attn.mix.hook_"
    before = model.run_with_cache(TOKENS)[1]["attn_out", LAYER]
    for side in "qk":
        closed = [(name + side, lambda gates, hook: 0 * gates)]
        with torch.no_grad(), model.hooks(fwd_hooks=closed):
            _, cache = model.run_with_cache(TOKENS)
        assert before.abs().max() > 0
        assert cache["attn_out", LAYER].abs().max() == 0


@pytest.mark.parametrize("name", ["query-gate", "pair-gate"])
def test_gates_start_open(name):
    tokens = random_tokens()
    gated, plain = (build(preset(each, SIZE)).double() for each in (f"dva-{name}", "dva-static"))
    torch.testing.assert_close(gated(tokens), plain(tokens))


def test_the_residual_mix_comes_before_the_form():
    model = model_of("pairwise", value_source=FirstLayerMix(first=0.5, own=0.5))
    _, cache = model.run_with_cache(TOKENS)
    bias = parts_of(model)[1].bias
    used = cache[f"blocks.{LAYER}.attn.mix.hook_v"]
    torch.testing.assert_close(used, 0.5 * cache["v", 0] + 0.5 * cache["v", LAYER] + bias)


@pytest.mark.parametrize("name", VALUE_FORMS)
def test_all_gradients_are_those_of_the_formed_pattern(name):
    """At an odd length, against attention with explicit scores and pattern."""
    found = []
    for watch in (False, True):
        model = model_of(name)
        if watch:
            for block in model.blocks:
                block.attn.hook_pattern.add_hook(lambda pattern, hook: None)
        model(TOKENS, return_type="loss").backward()
        found.append({each: weight.grad for each, weight in model.named_parameters()})
    for each, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][each], rtol=1e-8, atol=1e-10)
