"""Models that are wrapped, compiled, empty, or run in a lower precision by their surroundings."""

import families
import numpy as np
import pytest
import torch
from families import family
from own_models import tiny

import dva_lens as lens
from dva_lens.recording.record import attach
from dva_lens.sites import STREAM, SUMMARY, WRITTEN

TOKENS = np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 13))
NAMES = ("entropy", "gini", "written_value_drain", "massive_activation", "loss")


def same(found, expected):
    for name in NAMES:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def measured(model):
    return lens.measure(model, TOKENS, statistics=NAMES)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert"])
def test_inside_autocast_a_model_is_measured_in_the_dtype_of_its_weights(name):
    model = family(name)
    expected = measured(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same(measured(model), expected)


def test_a_model_of_this_package_is_measured_alike_inside_autocast():
    model = tiny("dva")
    expected = measured(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same(measured(model), expected)


def test_whoever_attaches_may_run_a_model_under_autocast():
    model, inputs = family("llama", sharp=1.0), {"input_ids": torch.tensor(TOKENS)}
    layers = []
    for enabled in (False, True):
        with (
            torch.no_grad(),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled),
            attach(model, (SUMMARY, WRITTEN, STREAM)) as recorder,
        ):
            model(**inputs)
            layers.append(recorder.take(2)[1])
    exact, cast = layers
    assert not np.array_equal(cast.summary.entropy, exact.summary.entropy)
    np.testing.assert_allclose(cast.summary.entropy, exact.summary.entropy, atol=0.02)
    np.testing.assert_allclose(cast.written.norm, exact.written.norm, rtol=0.05)


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


@pytest.mark.parametrize(
    "wrap",
    [
        compiled_in_place,
        lambda model: torch.compile(model, backend="eager"),
        torch.nn.DataParallel,
    ],
    ids=["compiled in place", "compiled", "data parallel"],
)
def test_a_wrapped_model_is_measured_as_the_one_inside(wrap):
    expected = measured(family("llama"))
    same(measured(wrap(family("llama"))), expected)


def test_compiling_outlives_a_measurement():
    model = compiled_in_place(family("llama"))
    call = model._compiled_call_impl
    measured(model)
    assert model._compiled_call_impl is call is not None


@pytest.mark.parametrize("build", [lambda: family("llama"), lambda: tiny("transformer")])
def test_weights_without_numbers_are_refused(build):
    model = build().to("meta")
    with pytest.raises(ValueError, match="is on the meta device, which holds shapes alone"):
        measured(model)


def test_numbers_that_are_not_finite_are_said_of_their_layer():
    model = family("llama")
    with torch.no_grad():
        model.model.layers[1].self_attn.k_proj.weight[3, 2] = torch.nan
    with pytest.raises(ValueError, match=r"^Layer 1: key holds NaN or infinite .* configuration"):
        measured(model)
