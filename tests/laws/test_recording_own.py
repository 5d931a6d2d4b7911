"""What recording promises of every model that can be built."""

import numpy as np
import pytest
import torch
from own_models import tiny, tokens_of
from records import Pieces, record_of
from shapes import is_linear

from dva_lens.models.presets import PRESETS
from dva_lens.recording import attach, record

LENGTHS = np.array([13, 8])
FULL = np.array([13, 13])


@pytest.fixture(params=PRESETS)
def model(request):
    return tiny(request.param)


@pytest.mark.parametrize("lengths", [LENGTHS, FULL], ids=["padded", "full"])
def test_exact_recording_changes_no_bit(model, lengths):
    tokens, counts = tokens_of(lengths), torch.as_tensor(lengths)
    with torch.no_grad():
        before = model(torch.as_tensor(tokens), lengths=counts)
        with attach(model, backend="exact"):
            during = model(torch.as_tensor(tokens), lengths=counts)
    assert torch.equal(before, during)
    found = record(model, tokens[:1], lengths[:1], backend="exact")
    assert found.provenance["fidelity_output"] == 0.0
    assert found.provenance["fidelity_loss"] == 0.0


@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_every_recording_leaves_the_model_as_it_was(model, backend):
    before = {layer: each.attend for layer, each in model.attentions.items()}
    record(model, tokens_of(LENGTHS), LENGTHS, backend=backend)
    with pytest.raises(KeyboardInterrupt), attach(model, backend=backend):
        raise KeyboardInterrupt
    assert {layer: each.attend for layer, each in model.attentions.items()} == before
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())


@pytest.mark.parametrize(
    "name",
    [
        *("transformer", "sigmoid", "learned-sink", "dva", "dva-experts", "relative-values"),
        *("static-learned", "uniform", "decay", "alibi", "window", "routed", "disentangled"),
        *("complex", "landmark", "combiner", "talking-heads", "dcformer"),
    ],
)
def test_no_pass_forms_a_pattern(name):
    model = tiny(name, layers=1, context=800)

    def plain(length):
        model(torch.as_tensor(tokens_of([length])))

    def recorded(length):
        for backend in ("blocked", "exact"):
            record(model, tokens_of([length]), backend=backend)

    assert is_linear(plain, 400)
    assert is_linear(recorded, 400)


def test_a_pass_that_forms_a_pattern_is_seen():
    model = tiny("transformer", layers=1, context=800)
    assert not is_linear(
        lambda size: model.run_with_cache(torch.as_tensor(tokens_of([size]))), 400
    )


def test_records_are_what_the_materialised_model_says(model):
    model = model.double()
    found = record(model, tokens_of(LENGTHS), LENGTHS)
    for layer, taken in enumerate(found.layers):
        if not model.config.attends(layer):
            assert (taken.summary, taken.values, taken.written) == (None, None, None)
            assert "it has" in taken.why_not["summary"]
            continue
        expected = record_of(_pieces(model, layer)).layers[0]
        shares = ("entropy", "rest_entropy") if taken.signed else ()
        assert all(np.isnan(getattr(taken.summary, each)).all() for each in shares)
        _same(taken.summary, expected.summary, leaving=("log_sum_exp", *shares))
        if taken.signed:
            assert (taken.dynamics, taken.tiles) == (None, None)
            assert "may be negative" in taken.why_not["dynamics"]
        else:
            _same(taken.dynamics, expected.dynamics)
        shared = model.blocks[layer].attn.kv_heads
        sizes = taken.written
        grouped = expected.written.norm.reshape(2, shared, -1, 13)
        np.testing.assert_allclose(sizes.norm, np.sqrt((grouped**2).mean(2)), atol=1e-9)
        _same(sizes, expected.written, leaving=("norm",))
    assert found.loss.shape == (2, 13)


def test_padding_changes_nothing(model):
    model = model.double()
    padded = record(model, tokens_of(LENGTHS), LENGTHS)
    alone = record(model, tokens_of(LENGTHS)[1:, :8], np.array([8]))
    np.testing.assert_allclose(padded.loss[1, :8], alone.loss[0], atol=1e-9)
    for layer, other in zip(padded.layers, alone.layers, strict=True):
        for site in ("summary", "values", "written", "dynamics", "stream", "mix"):
            one, two = getattr(layer, site), getattr(other, site)
            if one is None:
                assert two is None
                continue
            for name, value in vars(two).items():
                if isinstance(value, np.ndarray):
                    short = getattr(one, name)[1:]
                    short = short[..., : value.shape[-1]] if value.ndim > 1 else short
                    np.testing.assert_allclose(short, value, atol=1e-9, err_msg=name)


def _same(found, expected, leaving=()):
    for name, value in vars(expected).items():
        if name not in leaving:
            np.testing.assert_allclose(
                getattr(found, name), value, atol=1e-9, rtol=1e-9, err_msg=name
            )


@torch.no_grad()
def _pieces(model, layer):
    """Form everything one layer multiplies: its pattern through the hooks, and every v_ij."""
    tokens = torch.as_tensor(tokens_of(LENGTHS))
    counts, place = torch.as_tensor(LENGTHS), torch.arange(13)
    found = {}
    hooks = [
        (f"blocks.{layer}.attn.hook_{each}", lambda made, hook: found.update({hook.name: made}))
        for each in ("attn_scores", "pattern")
    ]
    with model.hooks(fwd_hooks=hooks):
        model(tokens, lengths=counts)
    scores, pattern = found.values()
    pairs = model.dynamic_values(tokens, layer, place, place)
    if (pairs == pairs[:, :, :1]).all():
        pairs = pairs[:, :, 0]
    return Pieces(
        pattern=pattern.numpy()[None],
        values=pairs.numpy()[None],
        output=model.blocks[layer].attn.W_O.numpy()[None],
        lengths=LENGTHS,
        seen=(scores > -torch.inf)[:, 0].numpy(),
    )
