"""What is reported beside losses: each number again from two measurements of its own."""

import numpy as np
import pytest
import torch
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.interventions.document import document_of, statistics_in
from dva_lens.diagnostics.interventions.values import DropHead, DropLayer

LENGTHS = (12, 9)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]


@pytest.fixture(scope="module")
def pair():
    """A model, and the same whose head 2 of layer 1 writes nothing."""
    model, without = (tiny("transformer", layers=3) for _ in range(2))
    with torch.no_grad():
        without.blocks[1].attn.out.weight[:, 16:24] = 0.0
    return model, without


@pytest.fixture(scope="module")
def found(pair):
    return lens.intervene(pair[0], ROWS, DropHead(layer=1, head=2), draws=2)


@pytest.mark.parametrize("name", ["entropy", "first_key_mass", "massive_activation"])
def test_statistics_change_as_between_two_measurements(pair, found, name):
    before, after = (lens.measure(model, ROWS, statistics=[name])[name] for model in pair)
    rows = lens.measure(pair[0], ROWS, statistics=["entropy"])["rows"]

    def mean(values):
        if "span" in values.dims:
            return values.weighted(rows).mean(["sequence", "span"])
        return values.mean("sequence")

    change = found[f"{name}_change"].sel(changed="intervention", bound="mean")
    np.testing.assert_allclose(change, mean(after) - mean(before), atol=2e-5)
    np.testing.assert_allclose(found[name], mean(before), rtol=1e-5)
    assert float(abs(change.sel(layer=2)).max()) > 0


def test_a_change_shows_behind_it_alone_and_has_its_control(found):
    change = found["entropy_change"]
    assert float(abs(change.sel(changed="intervention", layer=[0, 1])).max()) == 0
    ours, theirs, gap = (change.sel(changed=one, bound="mean") for one in change["changed"])
    np.testing.assert_allclose(gap, ours - theirs, atol=1e-12)
    low, mean, high = (change.sel(bound=one) for one in ("low", "mean", "high"))
    assert bool((low <= mean).all() & (mean <= high).all())


def test_the_primary_set_is_followed_unless_others_are_named(pair, found):
    assert {"entropy", "first_key_mass", "value_drain", "massive_activation"} <= set(
        statistics_in(found)
    )
    assert set(document_of(found)["statistics"]) == set(statistics_in(found))
    one = lens.intervene(pair[0], ROWS, DropLayer(layer=1), draws=1, statistics=["gini"])
    assert statistics_in(one) == ["gini"]
    assert document_of(one)["statistics"]["gini"]["dims"] == ["layer", "head"]


def test_progress_counts_sequences(pair):
    seen = []
    lens.intervene(
        pair[0],
        ROWS,
        DropLayer(layer=1),
        draws=1,
        statistics=(),
        progress=lambda *n: seen.append(n),
    )
    assert seen[-1] == (2, 2)
