import json

import pytest
from small_models import NAMES, SIZE

from dva_lens.mechanisms.output.neutreno import Neutreno
from dva_lens.mechanisms.rule.sigmoid import Sigmoid
from dva_lens.mechanisms.tables import AXES
from dva_lens.mechanisms.value_form.experts import ExpertValues
from dva_lens.mechanisms.value_form.separable import SeparableValue
from dva_lens.mechanisms.value_source.first_layer_mix import FirstLayerMix
from dva_lens.mechanisms.value_source.first_layer_mix_learnable import LearnableMix
from dva_lens.mechanisms.value_source.token_table import TokenTable
from dva_lens.models.config import ModelConfig
from dva_lens.models.presets import PRESETS, Size, preset


@pytest.mark.parametrize("name", NAMES)
def test_a_model_goes_to_json_and_back(name):
    config = preset(name, SIZE)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("axis", "kind"), [(axis, kind) for axis, table in AXES.items() for kind in table]
)
def test_every_variant_can_be_asked_for_by_name(axis, kind):
    config = SIZE.config().changed(**{axis: kind})
    assert type(getattr(config, axis)) is AXES[axis][kind]
    assert config.to_dict()[axis]["kind"] == kind


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"width": 30, "heads": 4}, "width must be a multiple of heads .* width=30, heads=4"),
        ({"heads": 4, "kv_heads": 3}, "kv_heads must divide heads, got kv_heads=3, heads=4"),
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"qk_dim": 7}, "Rotary positions need an even qk_dim, got 7"),
        ({"share_kv_every": 4}, "share_kv_every must not exceed layers, got 4 for 3 layers"),
        (
            {"value_source": FirstLayerMix(first=5.0, own=1.0, layers=(5, 6))},
            r"between 1 and 2 .* got layers=\[5, 6\] for 3 layers",
        ),
        ({"value_source": TokenTable(layers=(3,))}, r"between 0 and 2, got \[3\] for 3 layers"),
        (
            {"value_source": TokenTable(layers=(1, 2)), "share_kv_every": 2},
            r"with share_kv_every=2 .* multiples of it, got \[1\]",
        ),
        ({"value_source": FirstLayerMix(), "layers": 1}, "at least 2 layers, got 1"),
        ({"value_source": LearnableMix(), "layers": 1}, "at least 2 layers, got 1"),
        (
            {"value_form": {"kind": "switch-head", "experts": 3, "active": 4}},
            "active must not exceed experts, got active=4, experts=3",
        ),
        (
            {"value_form": {"kind": "experts", "experts": 1}},
            "value_form: experts must be at least 2",
        ),
        ({"value_form": ExpertValues(), "output": Neutreno()}, "a value form of 4 values"),
        (
            {"share_pattern_every": 4},
            "share_pattern_every must not exceed layers, got 4 for 3 layers",
        ),
        (
            {"share_pattern_every": 2, "share_kv_every": 2},
            "not both: got share_pattern_every=2 and share_kv_every=2",
        ),
        (
            {"share_pattern_every": 2, "rule": "learned-sink"},
            "a rule that each of them learns, got rule learned-sink with share_pattern_every=2",
        ),
        (
            {"standard_layers": (1, 3), "scores": "uniform"},
            r"standard_layers must rise from 0 on and stay below 3, got \[1, 3\]",
        ),
        ({"standard_layers": (1,)}, "need other layers whose mixer, scores, rule, vis"),
        (
            {"standard_layers": (0, 1, 2), "rule": "sigmoid"},
            "need other layers whose mixer, scores, rule, vis",
        ),
        (
            {"standard_layers": (1,), "rule": "sigmoid", "share_kv_every": 2},
            r"with groups of 2 layers, standard_layers must hold whole groups, got \[1\]",
        ),
        (
            {"value_form": "pairwise", "scores": "uniform"},
            "needs scores that make them of tokens, got value_form pairwise with scores uniform",
        ),
        (
            {"mixer": "causal-mean", "rule": "sigmoid", "output": "head-gate"},
            "of mixer causal-mean do not attend, .* leave out rule, output",
        ),
        (
            {"mixer": "causal-mean", "standard_layers": (1,), "scores": "uniform"},
            "leave out scores",
        ),
        ({"attended_width": 33}, "must not exceed width, got attended_width=33, width=32"),
        ({"init_std": 0.0}, "init_std must be more than 0, got 0.0"),
    ],
)
def test_an_impossible_model_is_refused_with_its_numbers(chosen, said):
    with pytest.raises(ValueError, match=said):
        SIZE.config(**chosen)


def test_a_variant_of_another_axis_is_refused():
    with pytest.raises(ValueError, match=r"rule must be one of softmax, .* got SeparableValue"):
        SIZE.config(rule=SeparableValue())


def test_a_model_never_changes():
    with pytest.raises(ValueError, match="frozen"):
        SIZE.config().rule.bias = 1.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"wdth": 3},
            r"Unknown key 'wdth' in a model \(did you mean 'width'\?\)",
        ),
        (
            {"rule": {"kind": "softmx"}},
            "rule must be one of .*, got 'softmx' .did you mean",
        ),
        ({"rule": {"kind": "sigmoid", "bais": 1}}, "rule: Unknown key 'bais' in a rule .*'bias'"),
        (
            {"rule": {"bias": 1}},
            "rule must be one of .* a mapping of a 'kind' and",
        ),
        ({"rule": ["sigmoid"]}, r"rule must be one of .*, got \['sigmoid'\]"),
        ({"feedforward": 1}, "feedforward must be one of swiglu, gelu, none, .* got 1"),
        ({"feedforward": {"kind": [[["swiglu"]]]}}, "feedforward must be one of .*swiglu"),
        (
            {"value_source": {"kind": "token-table", "layers": ["a"]}},
            r"layers\[0\] must be a whole",
        ),
        (
            {"output": {"kind": "head-gate", "per": "row"}},
            "per must be one of channel, head",
        ),
        (
            {"norm": {"kind": "rms", "epsilon": "1e-5"}},
            "norm: epsilon must be a number, got '1e-5'",
        ),
        ({"layers": 1e5}, "layers must be a whole number, got 100000.0"),
        ({"layers": 100_000}, "layers must be at most 4096, got 100000"),
        ({"vocabulary": 100_000_000}, "vocabulary must be at most .*, got 100000000"),
        ({"tied": 1}, "tied must be true or false, got 1"),
        ({"heads": True}, "heads must be a whole number, got true"),
        ({"init_std": float("nan")}, "init_std must be a finite number, got nan"),
        ({"weights": "sigmoid"}, "weights is the former name of rule; keep rule alone"),
    ],
)
def test_what_a_model_cannot_be_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        ModelConfig.from_dict(SIZE.config().to_dict() | wrong)


def test_what_is_no_mapping_is_no_model():
    with pytest.raises(ValueError, match="A model must be a mapping of keys to values, got"):
        ModelConfig.from_dict([["width", 3]])


def test_a_missing_size_is_named():
    plain = SIZE.config().to_dict()
    del plain["context"]
    with pytest.raises(ValueError, match="A model lacks context; it needs vocabulary"):
        ModelConfig.from_dict(plain)


def test_an_unknown_preset_names_its_neighbours():
    with pytest.raises(ValueError, match=r"Unknown preset 'dva-statc' .did you mean 'dva-static'"):
        preset("dva-statc", SIZE)


def test_presets_take_changes():
    config = preset("dva", SIZE, qk_dim=8, rule="sigmoid")
    assert (config.heads, config.qk_dim, config.value_dim) == (1, 8, 32)
    assert config.rule == Sigmoid()


def test_every_preset_says_where_it_comes_from():
    assert all(each.citation and each.meaning for each in PRESETS.values())


def test_grouped_queries_need_an_even_number_of_heads():
    with pytest.raises(ValueError, match="even number of heads, got heads=3"):
        preset("gqa", Size(layers=2, width=24, heads=3, vocabulary=9, context=8))


def test_the_sparse_layers_are_the_papers_at_its_depth():
    config = preset(
        "resformer-sparse", Size(layers=8, width=32, heads=2, vocabulary=40, context=16)
    )
    assert config.value_source.layers == (5, 6, 7)


def test_a_configuration_of_earlier_versions_is_read_under_its_old_names():
    plain = SIZE.config(rule="learned-sink").to_dict()
    plain["weights"] = plain.pop("rule")
    assert ModelConfig.from_dict(plain) == SIZE.config(rule="learned-sink")
