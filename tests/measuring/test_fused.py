"""Models measured with the fused kernels, against the same models measured in blocks."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny

import dva_lens as lens
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.recording import record
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.sites import SUMMARY

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
IDS = np.random.default_rng(1).integers(3, 61, (2, 11))
MODELS = {
    "gpt-oss": lambda: family("gpt-oss"),
    "gqa": lambda: tiny("gqa"),
    "sigmoid": lambda: tiny("sigmoid"),
    "dva": lambda: tiny("dva", layers=1),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_every_statistic_comes_out_the_same(make):
    model = make().to("cuda" if torch.cuda.is_available() else "cpu")
    want = lens.measure(model, IDS, backend="blocked")
    found = lens.measure(model, IDS, backend="fused")
    assert found.attrs["backend"] == "fused"
    for name in want.data_vars:
        if want[name].dtype.kind in "OUT":  # words, such as the text of a token
            np.testing.assert_array_equal(found[name], want[name], err_msg=name)
            continue
        np.testing.assert_allclose(found[name], want[name], rtol=2e-4, atol=2e-5, err_msg=name)


def test_sequences_of_several_lengths_are_told_apart():
    tokens, lengths = IDS.copy(), np.array([11, 7])
    tokens[1, 7:] = 0
    model = tiny("transformer").to("cuda" if torch.cuda.is_available() else "cpu")
    want, found = (
        record(model, tokens, lengths, sites=(SUMMARY,), backend=backend)
        for backend in ("blocked", "fused")
    )
    for one, other in zip(want.layers, found.layers, strict=True):
        np.testing.assert_allclose(one.summary.entropy, other.summary.entropy, atol=1e-5)
        np.testing.assert_allclose(one.summary.largest, other.summary.largest, atol=1e-5)
        assert np.isnan(other.summary.received[1, :, 7:]).all()


def test_what_ran_is_said_where_layers_differ(monkeypatch):
    ran = iter(["blocked", "fused", "blocked"])
    monkeypatch.setattr("dva_lens.recording.recorder.choose", lambda *_, **__: next(ran))
    monkeypatch.setitem(BACKENDS, "fused", BACKENDS["blocked"])
    recorder = Recorder((), "auto", torch.device("cpu"))
    part = torch.zeros(1, 1, 3, 4)
    monkeypatch.setattr(Recorder, "lengths", np.array([3]))
    call = AttentionCall(part, part, Static(part), Rule(scale=1.0))
    recorder.attention(0, call, gram=None)
    recorder.attention(1, call, gram=None)
    assert recorder.backend == "fused+blocked"
