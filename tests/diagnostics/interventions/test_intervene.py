"""Interventions against the same done on materialised patterns, and their controls."""

import json

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.interventions.change import Change, PassRows
from dva_lens.diagnostics.interventions.changes import RandomDirection
from dva_lens.diagnostics.interventions.sink_removal import SinkRemoval, masses
from dva_lens.diagnostics.interventions.values import (
    INTERVENTIONS,
    DropHead,
    DropLayer,
    DropValueResidual,
    FreezeValues,
    RemoveSink,
    SwapFirstValues,
    SwapValues,
    Temperature,
    intervention_of,
)
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.recording.recorder import AttentionCall

LENGTHS = (12, 9)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]
ONE_OF_EACH = {
    "remove-sink": RemoveSink(layer=1, head=0),
    "drop-head": DropHead(layer=1, head=0),
    "drop-layer": DropLayer(layer=1),
    "freeze-values": FreezeValues(layer=1),
    "swap-values": SwapValues(layer=1),
    "drop-value-residual": DropValueResidual(layer=1),
    "swap-first-values": SwapFirstValues(layer=1),
    "temperature": Temperature(layer=1, head=0, temperature=2.0),
}


@torch.no_grad()
def losses_with(model, row, edited):
    """Return the losses of a model whose layer 1 gets what `edited(pattern, value)` returns."""
    name = "blocks.1.attn.hook_pattern"
    ids = torch.as_tensor(row)[None]

    def hook(pattern, hook):
        return edited(pattern)

    logits = model.run_with_hooks(ids, fwd_hooks=[(name, hook)])
    logs = logits[0, :-1].log_softmax(-1)
    return -logs.gather(-1, ids[0, 1:, None])[:, 0].numpy()


def without_first(pattern, head, by):
    """Return a pattern without the first key, in rows that give the others more."""
    changed = pattern.clone()
    mine = changed[:, head]
    rest = mine[..., 1:].sum(-1)
    open_rows = rest > mine[..., 0]
    taken = mine.clone()
    taken[..., 0] = 0.0
    if by == "mask":
        taken = taken / taken.sum(-1, keepdim=True).clamp(min=1e-30)
    changed[:, head] = torch.where(open_rows[..., None], taken, mine)
    return changed


@pytest.mark.parametrize("by", ["mask", "value"])
@pytest.mark.parametrize("name", ["transformer", "gqa", "dva", "gated"])
def test_a_sink_is_removed_as_from_the_pattern_itself(name, by):
    model = tiny(name, layers=2).double()
    what = RemoveSink(layer=1, head=0, by=by)
    found = lens.intervene(model, ROWS, what, draws=2, statistics=())
    for number, row in enumerate(ROWS):
        want = losses_with(model, row, lambda pattern: without_first(pattern, 0, by))
        plain = losses_with(model, row, lambda pattern: pattern)
        got = found["loss_change"].sel(changed="intervention")[number, : len(want)]
        np.testing.assert_allclose(got, want - plain, atol=1e-9)
        np.testing.assert_allclose(found["loss"][number, : len(want)], plain, rtol=1e-9)


@pytest.mark.parametrize("name", ["transformer", "dva", "learned-sink"])
def test_the_control_takes_the_same_mass(name):
    found = lens.intervene(tiny(name, layers=2), ROWS, RemoveSink(layer=1, head=0), statistics=())
    assert found.attrs["mass_removed"] > 0
    assert found.attrs["mass_removed_by_control"] == pytest.approx(found.attrs["mass_removed"])
    assert 0 < found.attrs["mass_covered"] <= 1
    change = found["loss_change"]
    assert float(abs(change.sel(changed="control")).sum()) > 0
    np.testing.assert_allclose(
        change.sel(changed="difference"),
        change.sel(changed="intervention") - change.sel(changed="control"),
    )


@pytest.mark.parametrize("name", ["transformer", "dva", "gated"])
def test_an_empty_intervention_changes_no_bit(name):
    model = tiny(name, layers=2)
    found = lens.intervene(model, ROWS, RemoveSink(layer=1, head=0, share=0.0), statistics=())
    assert float(abs(found["loss_change"]).max()) == 0.0
    assert float(abs(found["divergence_change"]).max()) == 0.0
    assert found.attrs["mass_removed"] == 0


def test_a_control_that_took_another_mass_is_refused():
    changes, controls = ([Change(0, SinkRemoval(RemoveSink(layer=0, head=0)))] for _ in range(2))
    changes[0].edit.mass.removed, controls[0].edit.mass.removed = 1.0, 1.06
    with pytest.raises(ArithmeticError, match=r"within 5%: it took 0\.106 per query"):
        masses(changes, [controls], 10)


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_model_is_as_before_and_the_same_seed_draws_the_same(kind):
    model = tiny(
        "resformer-identity" if "residual" in kind or "first" in kind else "dva", layers=2
    )
    before = model(torch.as_tensor(ROWS[0])[None])
    first, again = (
        lens.intervene(model, ROWS, ONE_OF_EACH[kind], draws=2, statistics=["entropy"])
        for _ in range(2)
    )
    assert torch.equal(model(torch.as_tensor(ROWS[0])[None]), before)
    assert first.identical(again)
    assert float(abs(first["loss_change"].sel(changed="intervention")).max()) > 0
    assert (first["effect_low"] <= first["effect"]).all()


def test_a_dropped_head_is_its_importance():
    model = tiny("transformer", layers=2)
    found = lens.intervene(model, ROWS, DropHead(layer=1, head=2), draws=1, statistics=())
    importance = lens.head_importance(model, ROWS)["head_importance"][1, 2]
    change = found["loss_change"].sel(changed="intervention").mean("position")
    np.testing.assert_allclose(change, importance, atol=1e-6)


def test_a_temperature_of_one_changes_nothing_and_a_hot_head_is_even():
    model = tiny("transformer", layers=2)
    same = lens.intervene(
        model, ROWS, Temperature(layer=1, head=1, temperature=1.0), draws=1, statistics=()
    )
    assert float(abs(same["loss_change"].sel(changed="intervention")).max()) < 1e-5

    def even(pattern):
        changed = pattern.clone()
        rows = torch.arange(1, pattern.shape[-1] + 1)
        changed[:, 1] = torch.tril(torch.ones_like(pattern[0, 1])) / rows[:, None]
        return changed

    hot = lens.intervene(
        model, ROWS, Temperature(layer=1, head=1, temperature=1e6), draws=1, statistics=()
    )
    want = losses_with(model, ROWS[0], even) - losses_with(model, ROWS[0], lambda each: each)
    got = hot["loss_change"].sel(changed="intervention")[0, : len(want)]
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_frozen_values_write_what_static_ones_would():
    model = tiny("dva", layers=2).double()
    row = torch.as_tensor(ROWS[0])
    _, cache = model.run_with_cache(row[None])
    pattern = cache["blocks.1.attn.hook_pattern"][0, 0]
    places = torch.arange(len(row))
    pairs = model.dynamic_values(row[None], 1, places, places)[0, 0]
    mean = torch.einsum("ij,ijw->jw", pattern, pairs) / pattern.sum(0)[:, None]

    def hook(attended, hook):
        attended[0, :, 0] = pattern @ mean
        return attended

    hooks = [("blocks.1.attn.mix.hook_z", hook)]
    want = model.run_with_hooks(row[None], return_type="loss", fwd_hooks=hooks)
    found = lens.intervene(model, [ROWS[0]], FreezeValues(layer=1), draws=1, statistics=())
    got = (found["loss"] + found["loss_change"].sel(changed="intervention")).mean("position")
    assert got[0].item() == pytest.approx(want.item(), abs=1e-6)


def test_a_random_direction_moves_outputs_as_far():
    query, key, value, out, other = torch.randn(5, 1, 2, 5, 3).unbind()
    call = AttentionCall(query, key, Static(value), Rule(scale=1.0))
    change = RandomDirection(lambda *_: other, torch.Generator().manual_seed(0))
    found = change(call, out, PassRows(torch.tensor([5])))
    torch.testing.assert_close((found - out).norm(dim=-1), (other - out).norm(dim=-1))
    assert not torch.allclose(found, other)


def test_models_of_transformers_are_changed_too():
    ids = np.random.default_rng(0).integers(3, 61, (2, 12))
    model = family("llama")
    found = lens.intervene(model, ids, RemoveSink(layer=1, head=3), statistics=())
    assert found.attrs["mass_removed_by_control"] == pytest.approx(found.attrs["mass_removed"])
    assert float(abs(found["effect"].sel(changed="intervention", quantity="loss"))) > 0


@pytest.mark.parametrize("kind", INTERVENTIONS)
def test_an_intervention_is_made_again_from_plain_values(kind):
    one = ONE_OF_EACH[kind]
    assert intervention_of(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RemoveSink(layer=0, head=0, by="mean"), "by must be 'mask' or 'value'"),
        (lambda: RemoveSink(layer=0, head=0, share=1.5), "share must lie between 0 and 1"),
        (lambda: DropHead(layer=0, head=-1), "head must be 0 or more"),
        (lambda: Temperature(layer=0, head=0, temperature=0.0), "temperature must be above 0"),
        (lambda: intervention_of({"intervention": "remove-sinks"}), "did you mean 'remove-sink'"),
        (lambda: intervention_of({"intervention": "drop-head", "layer": 0}), "head"),
    ],
)
def test_what_cannot_be_done_is_said_when_it_is_made(make, said):
    with pytest.raises((ValueError, KeyError, TypeError), match=said):
        make()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (RemoveSink(layer=7, head=0), "layer must be below 2"),
        (RemoveSink(layer=0, head=9), "head must be below 4"),
        (RemoveSink(layer=0, head=0, key=12), "key must be below 12"),
        (DropHead(layer=0, head=9), "head must be below 4"),
        (FreezeValues(layer=0), "nothing to freeze; presets .* dva"),
        (SwapValues(layer=0, part="query"), "nothing to swap; presets .* dva"),
        (DropValueResidual(), "No layer of .* presets that have one: resformer-identity"),
    ],
)
def test_a_model_without_it_is_one_sentence(what, said):
    with pytest.raises((ValueError, TypeError), match=said):
        lens.intervene(tiny("transformer", layers=2), ROWS, what, draws=1, statistics=())
