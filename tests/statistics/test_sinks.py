"""What a sink is, and how often noise is called one."""

import numpy as np
import pytest
import records

from dva_lens.recording.patterns import summary_of
from dva_lens.records import LayerRecord
from dva_lens.statistics.inference.estimate import profile
from dva_lens.statistics.primary.top_key import top_key_labels, top_key_mass
from dva_lens.statistics.sinks import (
    ChosenKey,
    TopKeys,
    choosing,
    chosen_key,
    drain_word,
    has_sink,
    sink_bar,
    why_no_sink,
)
from dva_lens.statistics.statistic import SharedRecord

NAN = np.nan
LENGTH, TEXTS = 64, 24


def test_both_bars_have_to_be_exceeded():
    low = np.array([0.31, 0.29, 0.31, 0.31, NAN])
    untrained = np.array([0.1, 0.1, 0.16, NAN, 0.1])
    found = has_sink(low, np.full(5, 0.1), untrained)
    assert found.tolist() == [True, False, False, True, False]
    assert sink_bar(np.array(0.1), np.array(0.2)) == pytest.approx(0.4)
    assert not has_sink(np.array(0.9), np.array(NAN), np.array(0.0))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.5, 0.4, 0.03, 0.03), ""),
        ((0.08, 0.07, 0.03, 0.03), "not 3 times what uniform"),
        ((0.2, 0.18, 0.03, 0.11), "not twice what the untrained"),
        ((0.2, 0.05, 0.03, 0.03), "not surely above"),
        ((NAN, NAN, 0.03, 0.03), "no query sees 16 keys"),
        ((0.5, NAN, 0.03, 0.03), "too few texts"),
    ],
)
def test_every_refusal_has_its_reason(numbers, words):
    assert why_no_sink(*numbers).startswith(words)
    assert bool(why_no_sink(*numbers)) == bool(words)


def test_a_drain_is_decided_by_its_interval():
    assert [drain_word(0.1, 0.2), drain_word(0.6, 0.9)] == ["drained", "not drained"]
    assert [drain_word(0.4, 0.6), drain_word(NAN, NAN)] == ["undecided", "undecided"]


def top(position, token, earlier, mass):
    return TopKeys(*(np.array(each, dtype=float) for each in (position, token, earlier, mass)))


def test_the_key_that_is_most_often_on_top_is_chosen():
    found = top([0, 5, 9, 5, 7], [1, 8, 8, 2, 8], [0, 0, 0, 0, 3], [0.9, 0.2, 0.4, 0.1, 0.5])
    assert chosen_key(found) == ChosenKey("token", 8)
    np.testing.assert_allclose(found.at_least(ChosenKey("token", 8)), [0, 0.2, 0.4, 0, 0])
    np.testing.assert_allclose(found.at_least(ChosenKey("position", 5)), [0, 0.2, 0, 0.1, 0])
    assert chosen_key(found.of(np.array([True, False, False, False, False]))) is None
    assert chosen_key(top([NAN], [NAN], [NAN], [NAN])) is None


def test_no_document_is_on_both_sides():
    documents = np.array(["b", "a", "a", "c", "c", "b", "d"])
    chooses = choosing(documents)
    assert set(documents[chooses]).isdisjoint(documents[~chooses])
    assert chooses.any()
    assert not chooses.all()
    assert choosing(["one"] * 4).tolist() == [True, False, True, False]


def softmax(scores):
    seen = records.visibility((LENGTH,) * TEXTS)[:, None]
    weights = np.exp(scores) * seen
    return weights / weights.sum(-1, keepdims=True)


def of_pairs(draw, shape):
    return 1.5 * draw.standard_normal(shape)


def of_keys(draw, shape):
    """Every text has keys that all of its queries prefer, other ones in every text."""
    return 1.5 * draw.standard_normal((*shape[:2], 1, shape[-1])) + np.zeros(shape)


def of_itself(draw, shape):
    return 8.0 * np.eye(LENGTH) + 0.3 * draw.standard_normal(shape)


NOISE = {"pairs": of_pairs, "keys": of_keys, "itself": of_itself}


def judged(pattern, tokens, *, halves=True):
    """Return in which heads a key other than the first is called a sink.

    Without `halves` all texts both choose and judge by their own most attended key.
    """
    length = np.full(TEXTS, LENGTH)
    layer = LayerRecord(summary=summary_of(pattern, length))
    shared = SharedRecord(tokens, length, None)
    mass, labels = top_key_mass(layer, shared), top_key_labels(layer, shared)
    documents = np.arange(TEXTS).astype(str)
    chooses = choosing(documents)
    found = []
    for head in range(pattern.shape[1]):
        names = ("position", "token", "earlier")
        held = TopKeys(*(labels[f"top_key_{name}"][:, head] for name in names), mass[:, head])
        even = labels["top_key_even"][:, head].mean()
        if halves:
            key = chosen_key(held.of(chooses))
            numbers = held.of(~chooses).at_least(key) if key else np.zeros((~chooses).sum())
            low = profile(numbers, documents[~chooses]).low
        else:
            low = profile(held.mass, documents).low
        found.append(bool(has_sink(np.asarray(low), np.asarray(even), np.asarray(NAN))))
    return found


@pytest.mark.parametrize("noise", NOISE)
def test_noise_has_no_sink(noise):
    """Of 16 models of 8 heads without a sink at most 5 % may be said to have one: none."""
    called = []
    for seed in range(16):
        draw = np.random.default_rng(seed)
        tokens = draw.integers(0, 30, (TEXTS, LENGTH))
        pattern = softmax(NOISE[noise](draw, (TEXTS, 8, LENGTH, LENGTH)))
        called.append(any(judged(pattern, tokens)))
    assert np.mean(called) <= 0.05


def test_judging_the_keys_by_what_chose_them_is_seen_to_fail():
    draw = np.random.default_rng(0)
    tokens = draw.integers(0, 30, (TEXTS, LENGTH))
    pattern = softmax(of_keys(draw, (TEXTS, 8, LENGTH, LENGTH)))
    assert all(judged(pattern, tokens, halves=False))


def test_a_sink_on_a_token_and_one_on_a_place_are_found():
    draw = np.random.default_rng(1)
    tokens = draw.integers(2, 30, (TEXTS, LENGTH))
    scores = 0.5 * draw.standard_normal((TEXTS, 3, LENGTH, LENGTH))
    for text, place in enumerate(draw.integers(2, 20, TEXTS)):
        tokens[text, place] = 1
        scores[text, 0, :, place] += 4
    scores[:, 1, :, 3] += 4
    assert judged(softmax(scores), tokens) == [True, True, False]
