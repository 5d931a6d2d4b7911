"""What stands in the place of attention, against second writings, and how it is measured."""

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, unit
from small_models import SIZE, random_tokens, sharp

import dva_lens as lens
from dva_lens.mechanisms.mixer import MIXERS
from dva_lens.models.decoder import build
from dva_lens.models.ledger import value_ledger
from dva_lens.recording import record

TOKENS = random_tokens()
WITHOUT = [name for name, kind in MIXERS.items() if not kind.attends]


def gelu(inputs):
    return inputs * (1 + torch.erf(inputs / 2**0.5)) / 2


def linear_unit(mixer, read):
    gate, up = (read @ made.weight.T for made in (mixer.gate, mixer.up))
    return (gelu(gate) * up) @ mixer.out.weight.T


def generated(mixer, read):
    rows = []
    for place in range(read.shape[1]):
        near = range(min(place + 1, len(mixer.distances)))
        rows.append(read[:, place] + sum(mixer.distances[d] * read[:, place - d] for d in near))
    mixed = torch.stack(rows, 1)
    gate = mixed + gelu(mixed @ mixer.up.weight.T) @ mixer.down.weight.T
    return (read @ mixer.out.weight.T) * gate


def mean(mixer, read):
    del mixer
    return torch.stack([read[:, : n + 1].mean(1) for n in range(read.shape[1])], 1)


SECOND = {"gated-linear-unit": linear_unit, "generated-gate": generated, "causal-mean": mean}


@pytest.mark.parametrize("kind", WITHOUT)
def test_mixers_are_their_formula_with_every_gradient(kind):
    chosen = {"kind": kind, "reach": 4} if kind == "generated-gate" else kind
    model = sharp(SIZE.config(mixer=chosen, feedforward="none"))
    stream = model.embed.weight[TOKENS]
    for block in model.blocks:
        read = unit(stream) * block.ln1.weight
        stream = stream + SECOND[kind](block.mixer, read)
    expected = unit(stream) * model.ln_final.weight @ model.unembed.W_U
    assert_one_formula(model, model(TOKENS), expected)


def test_a_gated_linear_unit_reads_no_other_token():
    model = sharp(SIZE.config(mixer="gated-linear-unit"))
    turned = model(TOKENS.flip(1)).flip(1)
    torch.testing.assert_close(turned, model(TOKENS), rtol=0, atol=1e-10)


def test_a_generated_gate_reads_as_far_as_it_reaches():
    model = sharp(SIZE.config(mixer={"kind": "generated-gate", "reach": 3}, layers=1))
    other = TOKENS.clone()
    other[:, 4] = (other[:, 4] + 1) % SIZE.vocabulary
    moved = (model(TOKENS) - model(other)).abs().amax(-1) > 1e-12
    assert moved.any(0).nonzero().flatten().tolist() == [4, 5, 6]


@pytest.mark.parametrize("kind", WITHOUT)
def test_a_layer_without_attention_says_what_it_has_instead(kind):
    model = sharp(SIZE.config(mixer=kind, standard_layers=(1,)))
    found = record(model, TOKENS.numpy())
    assert found.layers[0].summary is None
    reason = found.layers[0].why_not["summary"]
    assert reason == f"the layer has no attention; it has {kind} in its place"
    assert found.layers[0].stream.norm.shape == found.layers[1].stream.norm.shape
    assert np.isfinite(found.layers[1].summary.entropy).any()


@pytest.mark.parametrize("kind", WITHOUT)
def test_attention_is_measured_as_nothing_where_no_layer_attends(kind):
    model = sharp(SIZE.config(mixer=kind))
    data = lens.measure(model, TOKENS.numpy())
    assert np.isnan(data["entropy"].values).all()
    assert data["entropy"].attrs["why_not"].endswith(f"it has {kind} in its place")
    assert np.isfinite(data["loss"].values).all()
    assert np.isfinite(data["massive_activation"].values).all()
    with pytest.raises(ValueError, match="layers that do: none"):
        model.dynamic_values(TOKENS, 0, torch.arange(2), torch.arange(2))
    with pytest.raises(ValueError, match="No layer of this model attends"):
        lens.value_gradients(model, TOKENS.numpy())
    with pytest.raises(ValueError, match="layer 0 does not attend"):
        lens.collapse_bound(model, TOKENS[:1].numpy())
    with pytest.raises(LookupError, match="Layer 0 does not attend"):
        _ = model.W_Q
    assert value_ledger(model, TOKENS) == ()


def test_a_hybrid_is_read_where_it_attends():
    model = sharp(SIZE.config(mixer="causal-mean", standard_layers=(1,)))
    assert list(model.attentions) == [1]
    assert [account.layer for account in value_ledger(model, TOKENS)] == [1]
    gradients = lens.value_gradients(model, TOKENS.numpy())["value_gradient"].values
    assert np.isfinite(gradients[1]).all()
    assert np.isnan(gradients[[0, 2]]).all()
    assert "blocks.1.attn.W_Q" in model.tl_parameters()
    assert not any(name.startswith("blocks.0.attn") for name in model.tl_parameters())
    found = lens.path_lengths(model, TOKENS.numpy())
    np.testing.assert_allclose(found["logit_share"].sum("order"), 1.0, atol=1e-9)


@pytest.mark.parametrize("kind", WITHOUT)
def test_texts_in_one_sequence_do_not_see_each_other_in_any_dtype(kind):
    model = build(SIZE.config(mixer=kind, layers=2)).to(torch.bfloat16).eval()
    packed = model(TOKENS[:1, :9], segments=torch.tensor([[1] * 4 + [2] * 5]))
    alone = model(TOKENS[:1, 4:9])
    assert packed.dtype == torch.bfloat16
    torch.testing.assert_close(packed[:, 4:].float(), alone.float(), rtol=0, atol=0.02)
