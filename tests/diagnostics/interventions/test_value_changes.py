"""Values that belong elsewhere, against the same done on materialised patterns in float64."""

import numpy as np
import pytest
import torch
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.interventions.value_changes import partners_of
from dva_lens.diagnostics.interventions.values import (
    DropValueResidual,
    SwapFirstValues,
    SwapValues,
)
from dva_lens.kernels.nonlinearity import phi

LENGTHS = (12, 9)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]
COMMON = min(LENGTHS)
PATTERN, VALUE = "blocks.1.attn.hook_pattern", "blocks.1.attn.mix.hook_v"
MIXED = "blocks.1.attn.mix.hook_z"


def exact(name, layers=2):
    """Return a tiny model of a preset in float64."""
    return tiny(name, layers=layers).double()


@torch.no_grad()
def logits_of(model, row, **hooks):
    """Return the logits of a model that forms its pattern, with hooks by name."""
    ids = torch.as_tensor(row)[None]
    chosen = [(PATTERN, lambda pattern, hook: pattern), *hooks.items()]
    return model.run_with_hooks(ids, fwd_hooks=chosen)[0]


@torch.no_grad()
def cached(model, row):
    return model.run_with_cache(torch.as_tensor(row)[None])[1]


def assert_equal(found, number, plain, changed):
    """Hold losses and logits of one sequence against those of both passes, all materialised."""
    row = torch.as_tensor(ROWS[number])[1:, None]
    logs, other = plain.log_softmax(-1), changed.log_softmax(-1)
    one = found.sel(changed="intervention").isel(sequence=number)
    gap = (logs - other)[:-1].gather(-1, row)[:, 0]
    np.testing.assert_allclose(one["loss_change"][: len(row)], gap, atol=1e-10)
    kl = (logs.exp() * (logs - other)).sum(-1)
    np.testing.assert_allclose(one["divergence_change"][: len(kl)], kl, atol=1e-10)
    moved = changed - plain
    largest = (moved - moved.mean(-1, keepdim=True)).abs().amax(-1)
    np.testing.assert_allclose(one["logits_change"][: len(kl)], largest, atol=1e-9)


def run(model, what):
    return lens.intervene(model, ROWS, what, draws=1, statistics=())


@pytest.mark.parametrize(
    "name", ["resformer-identity", "resformer-learnable", "resformer-learnable-plus"]
)
def test_without_its_residual_a_layer_mixes_its_own_values(name):
    model, without = exact(name, 3), exact(name, 3)
    for block in without.blocks[1:]:
        source = block.attn.mix.source
        if hasattr(source, "first_share"):
            source.first_share.data.zero_()
    if name == "resformer-learnable-plus":
        without.blocks[0].attn.mix.source.scale.data.zero_()
    found = run(model, DropValueResidual())
    assert found.attrs["layers"] == [1, 2]
    for number, row in enumerate(ROWS):
        assert_equal(found, number, logits_of(model, row), logits_of(without, row))


@pytest.mark.parametrize("name", ["resformer-identity", "svformer"])
def test_first_values_of_another_text_are_mixed_in(name):
    model = exact(name)
    caches = [cached(model, row) for row in ROWS]
    found = run(model, SwapFirstValues(layer=1))
    for number, row in enumerate(ROWS):
        first = caches[number]["blocks.0.attn.mix.hook_v"].clone()
        first[:, :COMMON] = caches[1 - number]["blocks.0.attn.mix.hook_v"][:, :COMMON]
        own = caches[number]["blocks.1.attn.hook_v"]
        mixed = first if name == "svformer" else 0.5 * first + 0.5 * own
        hooks = {VALUE: lambda value, hook, mixed=mixed: mixed}
        assert_equal(found, number, logits_of(model, row), logits_of(model, row, **hooks))


def test_first_values_in_another_order_are_those_of_the_same_text():
    model = exact("svformer")
    draw = torch.Generator().manual_seed(0)
    orders = [torch.randperm(length, generator=draw) for length in LENGTHS]
    found = run(model, SwapFirstValues(layer=1, by="position"))
    for number, row in enumerate(ROWS):
        order = orders[number]
        hooks = {VALUE: lambda value, hook, order=order: value[:, order]}
        assert_equal(found, number, logits_of(model, row), logits_of(model, row, **hooks))


@torch.no_grad()
def values_of_the_other(model, part, number, caches):
    """Return v_ij of a sequence where the other text has both places, and its own elsewhere."""
    query, key = (f"blocks.1.attn.mix.hook_{name}" for name in "qv")
    query, key = (caches[number][name][0, :, 0].clone() for name in (query, key))
    theirs = caches[1 - number]
    query[:COMMON] = theirs["blocks.1.attn.mix.hook_q"][0, :COMMON, 0]
    if part == "all":
        key[:COMMON] = theirs["blocks.1.attn.mix.hook_v"][0, :COMMON, 0]
    return phi(query[:, None] + key[None])


@pytest.mark.parametrize("part", ["all", "query"])
def test_dynamic_values_of_another_text_under_the_weights_of_this_one(part):
    model = exact("dva")
    caches = [cached(model, row) for row in ROWS]
    found = run(model, SwapValues(layer=1, part=part))
    for number, row in enumerate(ROWS):
        pairs = values_of_the_other(model, part, number, caches)
        mixed = torch.einsum("ij,ijw->iw", caches[number][PATTERN][0, 0], pairs)
        hooks = {MIXED: lambda out, hook, mixed=mixed: mixed[None, :, None]}
        assert_equal(found, number, logits_of(model, row), logits_of(model, row, **hooks))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_empty_intervention_changes_no_bit_and_half_of_one_does(share):
    found = run(tiny("resformer-constant", layers=2), DropValueResidual(share=share))
    moved = float(abs(found[["loss_change", "divergence_change"]]).max().to_array().max())
    assert (moved == 0) is (share == 0)


def test_texts_of_one_document_are_no_partners():
    assert partners_of(["a", "a", "b", "c"]) == (2, 2, 3, 0)
    with pytest.raises(ValueError, match="takes two documents or more, got one \\('a'\\)"):
        partners_of(["a", "a"])
