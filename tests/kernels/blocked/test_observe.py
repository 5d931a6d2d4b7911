"""What is read off an attention, where the answer is known without computing it."""

import pytest
import torch
from attentions import Draws, rule, strong_sink
from rounding import agree, widened

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise, Static

EVERY = [name for name in BACKENDS if name != "fused"]
LENGTH = 150


def close(found, want):
    torch.testing.assert_close(found, want.expand_as(found), rtol=1e-12, atol=1e-12)


def uniform(backend, **rule):
    nothing = torch.zeros(1, 2, LENGTH, 4, dtype=torch.float64)
    value = torch.ones_like(nothing)
    return BACKENDS[backend](nothing, nothing, Static(value), Rule(scale=1.0, **rule))[1]


@pytest.mark.parametrize("backend", EVERY)
def test_uniform_attention(backend):
    found = uniform(backend)
    seen = torch.arange(1, LENGTH + 1, dtype=torch.float64)
    close(found.entropy, seen.log())
    close(found.log_sum_exp, seen.log())
    close(found.square_sum, 1 / seen)
    close(found.largest, 1 / seen)
    close(found.first_mass, 1 / seen)
    close(found.self_mass, 1 / seen)
    close(found.previous_mass, torch.where(seen > 1, 1 / seen, 0.0))
    close(found.distance, (seen - 1) / 2)
    close(found.row_mass, torch.ones_like(seen))
    close(found.value_norm, torch.full_like(seen, 2.0))
    close(found.output_norm, torch.full_like(seen, 2.0))
    close(found.received, (1 / seen).flip(0).cumsum(0).flip(0))
    late = torch.where(seen >= MANY_KEYS, 1 / seen, 0.0)
    close(found.late_received, late.flip(0).cumsum(0).flip(0))
    assert found.visible[0].tolist() == list(range(1, LENGTH + 1))
    assert found.viewers[0].tolist() == list(range(LENGTH, 0, -1))


@pytest.mark.parametrize("backend", EVERY)
def test_uniform_attention_within_a_window(backend):
    found = uniform(backend, window=10)
    seen = torch.arange(1, LENGTH + 1, dtype=torch.float64).clamp(max=10)
    close(found.entropy, seen.log())
    close(found.distance, (seen - 1) / 2)
    assert found.visible[0].tolist() == seen.tolist()
    close(found.first_mass[..., 10:], torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("backend", EVERY)
def test_looking_both_ways_has_no_distance(backend):
    found = uniform(backend, causal=False)
    middle = torch.arange(LENGTH, dtype=torch.float64) - (LENGTH - 1) / 2
    close(found.distance, middle)
    close(found.received, torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize("backend", EVERY)
def test_a_sink_takes_its_share_and_the_rest_is_a_part(backend):
    sink = torch.tensor([0.0, 1.0], dtype=torch.float64)
    found = uniform(backend, sink=sink)
    seen = torch.arange(1, LENGTH + 1, dtype=torch.float64)
    total = seen + sink.exp()[:, None]
    close(found.row_mass[0], seen / total)
    close(found.log_sum_exp[0], total.log())
    close(found.entropy[0], seen / total * total.log())
    close(found.output_norm[0], 2 * seen / total)


@pytest.mark.parametrize("backend", EVERY)
def test_a_peak_is_found_wherever_it_is(backend):
    draw = Draws((1, 1, 1), LENGTH)
    key = draw.key(8)
    key /= key.norm(dim=-1, keepdim=True)
    chosen = torch.randint(LENGTH, (LENGTH,), generator=draw.random)
    query = 400.0 * key[:, :, chosen]
    rule = Rule(scale=1.0, causal=False)
    found = BACKENDS[backend](query, key, Static(draw.key(2)), rule)[1]
    assert (torch.arange(LENGTH) - found.distance[0, 0].round()).tolist() == chosen.tolist()
    assert (found.largest > 0.9).all()
    assert found.entropy.max() < 0.5


@pytest.mark.parametrize("backend", EVERY)
def test_sizes_of_pair_values_are_those_of_the_pairs(backend):
    draw = Draws((1, 1, 1), LENGTH)
    values = Pairwise(draw.query(3), torch.zeros(1, 1, LENGTH, 3, dtype=torch.float64))
    nothing = torch.zeros(1, 1, LENGTH, 2, dtype=torch.float64)
    output, found = BACKENDS[backend](nothing, nothing, values, Rule(scale=1.0))
    want = torch.nn.functional.gelu(values.query_part)
    close(output, want)
    close(found.value_norm, want.norm(dim=-1))


@pytest.mark.parametrize("strength", [14.0, 16.0, 60.0])
@pytest.mark.parametrize("backend", [name for name in EVERY if name != "reference"])
def test_what_a_strong_sink_leaves_keeps_its_digits(backend, strength, seed):
    """The first key takes .999 to 1 - 1e-23; sums over the others are right to their own size."""
    draw = Draws((1, 2, 1), 1024, dtype=torch.float32, seed=seed)
    inputs = (*strong_sink(draw, 6, strength), Static(draw.key(4)), rule())
    found, truth = (
        {"output": output} | vars(summary)
        for output, summary in (
            BACKENDS[backend](*inputs),
            BACKENDS["reference"](*widened(inputs)),
        )
    )
    agree(found, truth, inputs)
    taken = truth["row_mass"].float() - truth["first_mass"].float()
    lost = (taken - truth["rest_mass"]).abs() / truth["rest_mass"]
    assert lost[..., 1:].max() > 1e-3  # what it would be as a difference in float32


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("normaliser", ["softmax", "sigmoid"])
def test_without_the_first_key_all_is_left_where_it_is_out_of_sight(backend, normaliser):
    draw = Draws((1, 2, 1), LENGTH)
    values = Static(draw.key(3))
    found = BACKENDS[backend](
        draw.query(), draw.key(), values, rule(window=7, normaliser=normaliser)
    )[1]
    for name in ("mass", "entropy", "distance"):
        whole = getattr(found, "row_mass" if name == "mass" else name)
        rest = getattr(found, f"rest_{name}")
        close(rest[..., 7:], whole[..., 7:])
        assert (rest[..., 0] == 0).all()
