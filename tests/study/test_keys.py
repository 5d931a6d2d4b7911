import pytest

from dva_lens.models.presets import Size, preset
from dva_lens.study.keys import canonical, digest, measure_key, train_key


def test_order_of_keys_does_not_matter_and_everything_else_does():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    others = [{"a": 1}, {"a": 1.5}, {"a": "1"}, {"a": [1]}, {"a": None}, {"b": 1}]
    assert len({digest(one) for one in others}) == len(others)


def test_what_is_not_a_number_has_no_name():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_a_name_stays_what_it_was():
    assert digest({"width": 96, "heads": 4}) == "952da21f9c349b72"


def test_every_part_of_a_measurement_counts():
    base = {"tokens": "t", "length": 8, "backend": "auto"}
    keys = {
        measure_key("k", (0, 1), **base),
        measure_key("l", (0, 1), **base),
        measure_key("k", (0, 2), **base),
        *(measure_key("k", (0, 1), **(base | {name: "x"})) for name in base if name != "length"),
        measure_key("k", (0, 1), **(base | {"length": 9})),
    }
    assert len(keys) == 6


def test_a_training_keeps_its_name_when_a_key_of_its_model_gets_another():
    about = {"recipe": {"steps": 2}, "data": "d", "tokenizer": "t", "seed": 0}
    before, now = ({name: {"kind": "sigmoid"}} for name in ("weights", "rule"))
    assert train_key(before, **about) == train_key(now, **about)
    assert train_key({"weights": {"kind": "softmax"}}, **about) != train_key(now, **about)


WITHOUT = {
    "mixer": {"kind": "attention"},
    "scores": {"kind": "dot-product"},
    "share_pattern_every": 1,
    "standard_layers": [],
    "visibility": {"kind": "all"},
    "attended_width": 0,
}


def test_a_training_keeps_its_name_when_models_get_another_axis():
    about = {"recipe": {"steps": 2}, "data": "d", "tokenizer": "t", "seed": 0}
    before, now, other = (
        train_key({"width": 8} | more, **about)
        for more in ({}, WITHOUT, {"scores": {"kind": "uniform"}})
    )
    assert before == now != other


@pytest.mark.parametrize(("axis", "kind"), [("rule", "decay"), ("visibility", "window")])
def test_a_training_keeps_its_name_when_a_variant_gets_another_option(axis, kind):
    about = {"recipe": {"steps": 2}, "data": "d", "tokenizer": "t", "seed": 0}
    before, now, other = (
        train_key({axis: {"kind": kind} | more}, **about)
        for more in ({}, {"columns": 0}, {"columns": 8})
    )
    assert before == now != other


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("transformer", "9aa565928517bc03"),
        ("sigmoid", "3a19b8cf6a2bff91"),
        ("resformer-sparse", "10be5d6fbc14ffce"),
        ("dva-experts", "14976b957d832758"),
    ],
)
def test_a_training_keeps_its_name_when_keys_of_a_configuration_are_renamed(name, key):
    size = Size(layers=3, width=32, heads=2, vocabulary=41, context=32)
    config = preset(name, size).to_dict()
    assert train_key(config, {"steps": 1}, data="d", tokenizer="t", seed=0) == key
