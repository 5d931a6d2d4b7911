import pytest
from small_models import NAMES, SIZE

from dva_lens.mechanisms.feedforward.gelu import GeluMlp
from dva_lens.models.costs import flops_per_token, kv_bytes_per_token, match, parameters
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, grid, preset

L, D, H, V, N, F = 4, 64, 4, 100, 32, 176  # F: 8/3 of 64 is 170.7, rounded up to 8s
COUNTED = Size(layers=L, width=D, heads=H, vocabulary=V, context=N)
BASE = 2 * V * D + D + L * (4 * D * D + 3 * D * F + 2 * D)
UNATTENDED = 2 * V * D + D + L * (3 * D * F + 2 * D)
ONE_HEAD = 2 * V * D + D + L * (4 * D * D + D)
PARAMETERS = {
    "transformer": BASE,
    "gpt2-style": V * D + N * D + 2 * D + L * (12 * D * D + 9 * D + 4 * D),
    "gqa": BASE - L * D * D,
    "mqa": BASE - L * 2 * D * 48,
    "cla": BASE - 2 * 2 * D * D,
    "resformer-identity": BASE,
    "resformer-constant": BASE,
    "resformer-learnable": BASE + 2 * 3,
    "resformer-sparse": BASE,
    "resformer-learnable-plus": BASE + 3 + 1 + 3,
    "svformer": BASE - 3 * D * D,
    "neutreno": BASE,
    "denseformer": BASE + 2 + 3 + 4 + 5,
    "gated": BASE + L * D * D,
    "sigmoid": BASE,
    "relu": BASE,
    "softmax-off-by-one": BASE,
    "learned-sink": BASE + L * H,
    "sigma-reparam": BASE + L * 7,
    "hashed": BASE + L * (3 * D * D + 3 * D * F),
    "token-table": BASE + 2 * (V * D - D * D),
    "dva": ONE_HEAD + L * (D * D + 2 * D),
    "dva-static": ONE_HEAD,
    "dva-value-mlp": ONE_HEAD + L * D,
    "dva-query-gate": ONE_HEAD + L * D * D,
    "dva-separable": ONE_HEAD + L * (D * D + 2 * D),
    "dva-pair-gate": ONE_HEAD + L * 2 * D * D,
    "dva-experts": ONE_HEAD + L * (3 * D * D + 2 * D * 64),
    "relative-values": BASE + L * 17 * D,
    "query-value-interaction": BASE + L * (2 * D * 16 + D),
    "switch-head": BASE + L * D * (2 * 24 + 2 * 4 * 24 + 2 * 4 - 4 * D),
    "embedding-qk": BASE,
    "frozen-random": BASE - L * 2 * D * D,
    "disentangled": BASE + L * 2 * 17 * D,
    "complex": BASE + L * 2 * D / 2,
    "static-learned": BASE + L * 2 * (N - D) * D,
    "random-fixed": BASE - L * 2 * D * D,
    "uniform": BASE - L * 2 * D * D,
    "embedding-qk-hybrid": BASE,
    "random-fixed-hybrid": BASE - 2 * 2 * D * D,
    "uniform-hybrid": BASE - 2 * 2 * D * D,
    "shared-pattern": BASE - 2 * 2 * D * D,
    "wide": 2 * V * D + D + L * 4 * D * D + 3 * D * F + 2 * D,
    "partial": 2 * V * D + D + L * (14 * (2 * 16 + 14) + D * D + 3 * D * F + 2 * D),
    "glu-mixer": UNATTENDED + L * 3 * D * 86,
    "generated-gate": UNATTENDED + L * (D * D + 2 * D * 96 + 16),
    "causal-mean": UNATTENDED,
    "taylor": BASE,
    "linear": BASE + N * D,
    "taylor-hybrid": BASE,
    "decay": BASE,
    "alibi": BASE,
    "window": BASE,
    "talking-heads": BASE + L * 2 * H * H,
    "dcformer": BASE + L * (20 * H * D + 64 * H * H + 2 * H * H),
    "landmark": BASE + L * D,
    "combiner": BASE,
    "routed": BASE,
    "resformer-gqa": BASE - L * D * D,
    "resformer-neutreno": BASE,
    "resformer-dva": ONE_HEAD + L * (D * D + 2 * D),
}
KEYS = (N + 1) / 2
BASE_FLOPS = 2 * D * V + L * (8 * D * D + 4 * KEYS * D + 6 * D * F + 2 * F)
BARE_FLOPS = 2 * D * V + L * (8 * D * D + 4 * KEYS * D)
BRANCH = 2 * D * D + 2 * D
PAST = 7 / 2  # whole blocks of 4 before a query of 32, on average
ROUTED_KEYS = 5 / 2 + 4 * (0 + 1 + 6 * 2) / 8
SWITCHED = 2 * D * 10 * 24 + 4 * KEYS * 24 + (2 * D + 1) * 2 * 4 + 3 * 4 * 24
UNATTENDED_FLOPS = 2 * D * V + L * (6 * D * F + 2 * F)
PARTIAL = 2 * D * V + L * (2 * 14 * 46 + 2 * D * D + 2 * KEYS * 30 + 6 * D * F + 2 * F)
FLOPS = {
    "transformer": BASE_FLOPS,
    "gpt2-style": 2 * D * V + L * (24 * D * D + 4 * KEYS * D + 4 * D),
    "gqa": BASE_FLOPS - L * 2 * D * D,
    "mqa": BASE_FLOPS - L * 4 * D * 48,
    "cla": BASE_FLOPS - 2 * 4 * D * D,
    "resformer-identity": BASE_FLOPS + 3 * 3 * D,
    "resformer-constant": BASE_FLOPS + 3 * 3 * D,
    "resformer-learnable": BASE_FLOPS + 3 * 3 * D,
    "resformer-sparse": BASE_FLOPS + 2 * 3 * D,
    "resformer-learnable-plus": BASE_FLOPS + 3 * 3 * D,
    "svformer": BASE_FLOPS - 3 * 2 * D * D,
    "neutreno": BASE_FLOPS + 3 * 3 * D,
    "denseformer": BASE_FLOPS + 2 * D * (2 + 3 + 4 + 5),
    "gated": BASE_FLOPS + L * (2 * D * D + 2 * D),
    "sigmoid": BASE_FLOPS,
    "relu": BASE_FLOPS,
    "softmax-off-by-one": BASE_FLOPS,
    "learned-sink": BASE_FLOPS,
    "sigma-reparam": BASE_FLOPS,
    "hashed": BASE_FLOPS - L * (3 * D * D + 3 * D * F) + L * 5 * (5 * D + F),
    "token-table": BASE_FLOPS - 2 * 2 * D * D,
    "dva": BARE_FLOPS + L * (BRANCH + 2 * KEYS * D),
    "dva-static": BARE_FLOPS,
    "dva-value-mlp": BARE_FLOPS + L * 2 * D,
    "dva-query-gate": BARE_FLOPS + L * (2 * D * D + 3 * D),
    "dva-separable": BARE_FLOPS + L * (BRANCH + 3 * D),
    "dva-pair-gate": BARE_FLOPS + L * (4 * D * D + 4 * KEYS * D),
    "dva-experts": BARE_FLOPS + L * (6 * D * D + 4 * D * 64 + KEYS * (4 * 35 + 6 * D)),
    "relative-values": BASE_FLOPS + L * (H * KEYS + 2 * 17 * D + D),
    "query-value-interaction": BASE_FLOPS + L * (4 * D * 16 + D + 3 * KEYS * D),
    "switch-head": BASE_FLOPS + L * (SWITCHED - 8 * D * D - 4 * KEYS * D),
    "embedding-qk": BASE_FLOPS,
    "frozen-random": BASE_FLOPS,
    "disentangled": BASE_FLOPS + L * (4 * 17 * D + H * 2 * KEYS),
    "complex": BASE_FLOPS + L * (11 + 10) * D / 2,
    "static-learned": BASE_FLOPS - L * 4 * D * D,
    "random-fixed": BASE_FLOPS - L * 4 * D * D,
    "uniform": BASE_FLOPS - L * 4 * D * D,
    "embedding-qk-hybrid": BASE_FLOPS,
    "random-fixed-hybrid": BASE_FLOPS - 2 * 4 * D * D,
    "uniform-hybrid": BASE_FLOPS - 2 * 4 * D * D,
    "shared-pattern": BASE_FLOPS - 2 * 4 * D * D,
    "wide": BARE_FLOPS + 6 * D * F + 2 * F,
    "partial": PARTIAL,
    "glu-mixer": UNATTENDED_FLOPS + L * (6 * D + 2) * 86,
    "generated-gate": UNATTENDED_FLOPS + L * (2 * D * (D + 192) + 96 + 34 * D),
    "causal-mean": UNATTENDED_FLOPS + L * 2 * D,
    "taylor": BASE_FLOPS,
    "linear": BASE_FLOPS,
    "taylor-hybrid": BASE_FLOPS,
    "decay": BASE_FLOPS,
    "alibi": BASE_FLOPS,
    "talking-heads": BASE_FLOPS + L * KEYS * 4 * H * H,
    "dcformer": BASE_FLOPS
    + L * ((2 * D + 1) * 20 * H + 128 * H * H + KEYS * 2 * (2 * H * H + 2 * 10 * H)),
    "landmark": BASE_FLOPS + L * (4 * D + PAST * (2 * D + H + 4 * (2 * D + H))),
    "combiner": BASE_FLOPS + L * (2 * D + 2 * D + PAST * (2 * D + 4 * H)),
    "routed": BASE_FLOPS - L * 4 * D * (KEYS - ROUTED_KEYS) + L * (2 * D * (7 / 2) + 2 * D),
    "window": BASE_FLOPS - L * 4 * D * (KEYS - (36 + 24 * 8) / N),
    "resformer-gqa": BASE_FLOPS - L * 2 * D * D + 3 * 3 * D / 2,
    "resformer-neutreno": BASE_FLOPS + 2 * 3 * 3 * D,
    "resformer-dva": BARE_FLOPS + L * (BRANCH + 2 * KEYS * D) + 3 * 3 * D,
}
FULL_CACHE = 2 * 2 * D * L
CACHE = {
    "dcformer": FULL_CACHE + 2 * L * 10 * H,
    "gqa": FULL_CACHE / 2,
    "mqa": FULL_CACHE / 4,
    "cla": FULL_CACHE / 2,
    "svformer": FULL_CACHE * (L + 1) / (2 * L),
    "token-table": FULL_CACHE * 6 / 8,
    "dva-pair-gate": FULL_CACHE * 1.5,
    "dva-experts": 2 * L * (D + 4 * D + 4 * 16),
    "query-value-interaction": FULL_CACHE * 1.5,
    "switch-head": 2 * 2 * 24 * L,
    "partial": 2 * (16 + 14) * L,
    "glu-mixer": 0,
    "generated-gate": 0,
    "causal-mean": 0,
    "random-fixed-hybrid": FULL_CACHE * 3 / 4,
    "uniform-hybrid": FULL_CACHE * 3 / 4,
    "shared-pattern": FULL_CACHE * 3 / 4,
    "static-learned": FULL_CACHE / 2,
    "random-fixed": FULL_CACHE / 2,
    "uniform": FULL_CACHE / 2,
    "resformer-gqa": FULL_CACHE / 2,
}


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_those_counted_by_hand(name):
    config = preset(name, COUNTED)
    assert parameters(config) == PARAMETERS[name]
    assert flops_per_token(config) == pytest.approx(FLOPS[name], rel=1e-12)
    assert kv_bytes_per_token(config) == CACHE.get(name, FULL_CACHE)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_built_model(name):
    config = preset(name, SIZE)
    assert parameters(config) == sum(each.numel() for each in build(config).parameters())


def test_parameters_of_the_grid_are_those_of_the_built_models():
    for _, config in list(grid(SIZE))[::5]:
        assert parameters(config) == sum(each.numel() for each in build(config).parameters())


def test_biases_count():
    config = SIZE.config(biases=True, feedforward=GeluMlp(), share_kv_every=2)
    assert parameters(config) == sum(each.numel() for each in build(config).parameters())


def test_pairs_cost_more_on_longer_texts():
    config = preset("dva", COUNTED)
    difference = flops_per_token(config, 64) - flops_per_token(config, 32)
    assert difference == pytest.approx(L * 16 * (4 * D + 2 * D))


@pytest.mark.parametrize("by", ["parameters", "flops"])
@pytest.mark.parametrize("name", ["transformer", "svformer", "gated", "dva", "dva-experts"])
def test_matched_models_cost_alike(name, by):
    size = Size(layers=4, width=128, heads=4, vocabulary=300, context=64)
    cost = {"parameters": parameters, "flops": flops_per_token}[by]
    target = 1.3 * cost(size.config())
    found = match(preset(name, size), target, by=by)
    assert cost(found) == pytest.approx(target, rel=0.02)
    assert found.to_dict().keys() == size.config().to_dict().keys()


def test_matching_by_width_holds_what_was_held():
    size = Size(layers=2, width=64, heads=4, vocabulary=100, context=32)
    held = preset("dva", size, qk_dim=16)
    found = match(held, 2 * parameters(held))
    assert (found.qk_dim, found.value_dim) == (16, found.width)
    assert found.width > 64


def test_matching_refuses_what_cannot_be():
    config = preset("dva", SIZE)
    with pytest.raises(ValueError, match="by must be one of parameters, flops"):
        match(config, 1e6, by="money")
    with pytest.raises(ValueError, match="can only vary its width"):
        match(config, 1e6, vary="feedforward")
    with pytest.raises(ValueError, match="No feedforward brings parameters down to 10"):
        match(SIZE.config(), 10)
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        flops_per_token(config, 0)
