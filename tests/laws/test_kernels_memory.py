"""No forward, backward or recording forms a tensor of length times length."""

import pytest
import torch
from attentions import FORMS, Draws, attention
from shapes import Largest
from torch.profiler import ProfilerActivity, profile

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked.moments import moments
from dva_lens.kernels.reference import attention as reference

LENGTH = 1100


def run(form, weights, length=LENGTH, *, layout=(1, 1, 1)):
    draw = Draws(layout, length, dtype=torch.float32, grad=True)
    inputs = attention(draw, form, weights)
    with Largest() as seen:
        attend(*inputs).sum().backward()
    return seen.entries


def test_the_watch_sees_a_square():
    with Largest() as seen:
        torch.zeros(LENGTH, 1) @ torch.zeros(1, LENGTH)
    assert seen.entries == LENGTH**2


@pytest.mark.parametrize(
    "weights",
    [
        "causal",
        "sink",
        "window",
        "right-padded",
        "sigmoid",
        "decay",
        "taylor",
        "linear",
        "relu",
        "distances",
        "blocks",
        "blocks-keys",
        "composed",
    ],
)
def test_training_with_static_values(weights):
    assert run("static", weights) < LENGTH**2 / 4


@pytest.mark.parametrize("weights", ["causal", "sink"])
def test_training_with_grouped_heads(weights):
    assert run("static", weights, layout=(1, 4, 2)) < LENGTH**2 / 4


@pytest.mark.parametrize("form", ["pairwise", "interacting", "pair-gate", "experts", "relative"])
def test_training_with_pair_values(form):
    assert run(form, "causal") < LENGTH**2 / 2


@pytest.mark.parametrize("backend", ["exact", "blocked"])
@pytest.mark.parametrize("form", FORMS)
def test_recording(form, backend):
    inputs = attention(Draws((1, 1, 1), LENGTH, dtype=torch.float32), form, "causal")
    with Largest() as seen:
        BACKENDS[backend](*inputs)
        moments(*inputs)
    assert seen.entries < LENGTH**2 / 2


def test_memory_grows_with_length_and_not_its_square():
    assert run("static", "softcap", 2 * LENGTH) <= 2.1 * run("static", "softcap", LENGTH)


def peak(attend, form, length):
    """Return the most bytes that forward and backward hold at once, beyond their inputs."""
    inputs = attention(Draws((1, 1, 1), length, dtype=torch.float32, grad=True), form, "causal")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        attend(*inputs).sum().backward()
    events = [each for each in seen.profiler.kineto_results.events() if each.name() == "[memory]"]
    held = most = 0
    for each in sorted(events, key=lambda event: event.start_ns()):
        held += each.nbytes()
        most = max(most, held)
    return most


@pytest.mark.parametrize("form", ["pairwise", "interacting", "pair-gate", "experts", "relative"])
def test_the_peak_of_training_is_linear_in_length(form):
    assert peak(attend, form, LENGTH // 2) <= 2.2 * peak(attend, form, LENGTH // 4)


def test_the_peak_of_values_formed_in_full_is_a_square():
    short, long = (peak(reference.attend, "pairwise", length) for length in (200, 400))
    assert long > 3.5 * short > 3.5 * 200**2 * 8 * 4
