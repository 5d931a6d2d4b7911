"""The sinks of an archive against means of planted patterns, and what is refused."""

import numpy as np
import pytest
from records import visibility

from dva_lens.measuring.measure import describe
from dva_lens.recording.from_arrays import from_patterns
from dva_lens.results.collect import collect
from dva_lens.results.sinks import COLUMNS, sinks, strongest
from dva_lens.statistics.table import RECORDED
from dva_lens.study.measuring import stacked

TEXTS, LENGTH, HEADS = 12, 48, 2
DOCUMENTS = [f"document {at}" for at in range(TEXTS)]
SINK = {"layer": 1, "head": 0}


def patterns(seed, *, trained, key=0):
    """Return noise, and once trained a head of the second layer that looks at one key."""
    draw = np.random.default_rng([seed, trained])
    seen = visibility((LENGTH,) * TEXTS)[:, None]
    found = []
    for layer in range(2):
        scores = 0.5 * draw.standard_normal((TEXTS, HEADS, LENGTH, LENGTH))
        if trained and layer == SINK["layer"]:
            scores[:, SINK["head"], :, key] += 3.5
        weights = np.where(seen, np.exp(scores), 0.0)
        found.append(weights / weights.sum(-1, keepdims=True))
    return found


def values(drained):
    """Return values of unit size, those of the first key a tenth of it once drained."""
    draw = np.random.default_rng(3)
    found = draw.standard_normal((TEXTS, HEADS, LENGTH, 4))
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    found[:, :, 0] *= 0.1 if drained else 1.0
    return found


def measured(seed=0, *, trained=True, key=0, drained=True):
    record = from_patterns(patterns(seed, trained=trained, key=key), [values(drained)] * 2)
    names = [name for name in RECORDED if name != "loss"]
    return describe(record, statistics=names, documents=DOCUMENTS, name="planted")


@pytest.fixture(scope="module")
def grown():
    steps = {0: measured(trained=False), 8: measured()}
    return collect({"planted": stacked(steps), "noise": stacked({0: steps[0], 8: steps[0]})})


@pytest.fixture(scope="module")
def table(grown):
    return sinks(grown)


def test_the_planted_sink_alone_is_found(table):
    assert list(table.columns) == list(COLUMNS)
    found = table[table["sink"]].to_dict("records")
    assert [(row["model"], row["layer"], row["head"], row["key"]) for row in found] == [
        ("planted", 1, 0, "first key")
    ]
    assert (table["sink"] == (table["reason"] == "")).all()
    assert strongest(table, "noise")["reason"].startswith("not 3 times what uniform")


def test_its_mass_is_the_mean_over_queries_that_see_many_keys(table):
    row = strongest(table, "planted")
    late = patterns(0, trained=True)[1][:, 0, 15:, 0]
    early = patterns(0, trained=False)[1][:, 0, 15:, 0]
    assert row["mass"] == pytest.approx(late.mean(), abs=1e-6)
    assert row["low"] < row["mass"] < row["high"]
    assert row["untrained"] == pytest.approx(early.mean(), abs=1e-6)
    assert row["uniform"] == pytest.approx(np.mean([1 / n for n in range(16, 49)]), abs=1e-6)


def test_its_drain_is_the_size_of_its_value(table):
    row = strongest(table, "planted")
    assert (row["drained"], row["drain_of"]) == ("drained", "value_drain")
    assert row["drain"] == pytest.approx(0.1, abs=1e-6)
    fresh = sinks(collect(measured(drained=False)))
    assert strongest(fresh, "planted")["drained"] == "not drained"


def test_a_sink_elsewhere_is_judged_on_the_other_half_of_the_texts():
    found = sinks(collect(measured(key=5)))
    (row,) = found[found["sink"]].to_dict("records")
    assert (row["key"], row["position"], row["layer"], row["head"]) == ("position 5", 5, 1, 0)
    judged = patterns(0, trained=True, key=5)[1][:, 0, 15:, 5].mean(-1)
    names = sorted(DOCUMENTS)
    half = [judged[DOCUMENTS.index(name)] for name in names[1::2]]
    assert row["mass"] == pytest.approx(np.mean(half), abs=1e-6)


def test_without_an_untrained_model_the_bar_is_uniform_attention_alone():
    found = sinks(collect(measured()))
    assert found["untrained"].isna().all()
    assert strongest(found, "planted")["sink"]


def test_random_weights_measured_apart_are_an_untrained_model():
    before = collect(measured(trained=True))
    found = sinks(collect(measured()), untrained=before)
    row = strongest(found, "planted")
    assert not row["sink"]
    assert row["reason"] == "not twice what the untrained model gives it"


def test_before_training_there_is_none(grown):
    assert not sinks(grown, moment="start")["sink"].any()


def test_every_step_at_once_is_refused(grown):
    with pytest.raises(ValueError, match="one moment"):
        sinks(grown, moment="every")


def test_models_of_unequal_depth_are_read_on_texts_too_short_for_sinks():
    deep = [np.tile(np.tri(4) / np.tri(4).sum(-1, keepdims=True), (2, HEADS, 1, 1))] * 3
    each = {"deep": from_patterns(deep), "shallow": from_patterns(deep[:1])}
    names = ["first_key_mass", "entropy"]
    data = {model: describe(one, statistics=names, name=model) for model, one in each.items()}
    assert sinks(collect(data)).groupby("model").size().to_dict() == {
        "deep": 3 * HEADS,
        "shallow": HEADS,
    }
