"""W_O is what takes the output of the attention, whatever it is called and however stored."""

import warnings

import families
import numpy as np
import pytest
import torch
import transformers as tf
from families import family

import dva_lens as lens
from dva_lens.recording.adapters.own_attention import OwnCall
from dva_lens.recording.record import record
from dva_lens.recording.rounding import rounding_of_stored
from dva_lens.sites import SUMMARY, VALUES, WRITTEN
from dva_lens.statistics.table import STATISTICS

TOKENS = np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 13))
NOT_AS_IT_IS = "does not go into an output projection as it is"
NEEDS_W_O = ("written_value_drain", "sink_output_share", "norm_entropy", "output_account")
NEEDS_NONE = ("value_drain", "entropy", "gini", "mass_account", "surviving_size")


class Stored(torch.nn.Module):
    """A matrix in eight bits, with a scale per output."""

    def __init__(self, plain):
        super().__init__()
        self.in_features, self.bias = plain.in_features, plain.bias
        weight = plain.weight.detach()
        self.scale = weight.abs().amax(dim=1, keepdim=True) / 127
        self.weight = torch.nn.Parameter((weight / self.scale).round().to(torch.int8), False)

    def forward(self, taken):
        weight = self.weight.to(taken.dtype) * self.scale
        return torch.nn.functional.linear(taken, weight, self.bias)


class Changed(torch.nn.Linear):
    """A matrix with a change of low rank on top."""

    def forward(self, taken):
        return super().forward(taken) + (taken @ self.down) @ self.up


def changed(plain):
    plain.__class__ = Changed
    generator = torch.Generator().manual_seed(0)
    plain.down = torch.randn(plain.in_features, 2, generator=generator, dtype=torch.float64)
    plain.up = torch.randn(2, plain.out_features, generator=generator, dtype=torch.float64)
    return plain


def distilbert(**settings):
    torch.manual_seed(0)
    config = tf.DistilBertConfig(
        vocab_size=families.VOCABULARY, dim=32, n_layers=2, n_heads=4, hidden_dim=48, **settings
    )
    return tf.DistilBertForMaskedLM(config).double().eval()


def afmoe():
    torch.manual_seed(0)
    return tf.AfmoeForCausalLM(
        tf.AfmoeConfig(
            **families.GROUPED, head_dim=8, num_dense_layers=2, num_experts=2,
            num_experts_per_tok=1, moe_intermediate_size=16, sliding_window=8,
        )
    ).double().eval()  # fmt: skip


def sizes_by_hand(model, path, kv_heads=4):
    """Return |W_O v_j| of every key from what the projection makes of one head at a time."""
    projection, taken = model.get_submodule(path), []
    first = torch.as_tensor(TOKENS[:, :1])  # one key: what is attended is its own value
    handle = projection.register_forward_pre_hook(lambda m, args: taken.append(args[0]))
    with torch.no_grad():
        model(input_ids=first)
        handle.remove()
        mixed = taken[0].unflatten(-1, (4, 8))
        written = []
        for head in range(4):
            alone = torch.zeros_like(mixed)
            alone[:, :, head] = mixed[:, :, head]
            nothing = projection(torch.zeros_like(alone.flatten(-2)))
            written.append(projection(alone.flatten(-2)) - nothing)
    power = torch.stack(written, dim=1)[:, :, 0].square().sum(-1).unflatten(1, (kv_heads, -1))
    return power.mean(-1).sqrt().numpy()


@pytest.mark.parametrize("change", [Stored, changed, None])
def test_a_matrix_is_what_the_module_makes_of_vectors(change):
    model = family("llama", dtype=torch.float64)
    if change is not None:
        for layer in model.model.layers:
            layer.self_attn.o_proj = change(layer.self_attn.o_proj)
    found = record(model, TOKENS, sites=(SUMMARY, WRITTEN)).layers[0].written
    expected = sizes_by_hand(model, "model.layers.0.self_attn.o_proj", kv_heads=2)
    np.testing.assert_allclose(found.norm[:, :, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(found.first[:, :, 0], 1.0, rtol=1e-12)


def packed(name):
    """Return a model whose matrices are of eight bits, and round what they are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will stand elsewhere in torch
        chosen = {torch.nn.Linear}
        return torch.ao.quantization.quantize_dynamic(family(name), chosen, dtype=torch.qint8)


PACKED = {
    "llama": ("model.layers.0.self_attn.v_proj", "model.layers.0.self_attn.o_proj"),
    "bert": (
        "bert.encoder.layer.0.attention.self.value",
        "bert.encoder.layer.0.attention.output.dense",
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_matrices_are_asked_and_values_are_those_of_the_pass(name):
    model, taken = packed(name), []
    value, projection = (model.get_submodule(path) for path in PACKED[name])
    value.register_forward_hook(lambda module, args, output: taken.append(output))
    layer = record(model, TOKENS, sites=(SUMMARY, VALUES, WRITTEN)).layers[0]
    both = next(each for each in taken if len(each) == len(TOKENS))
    values = both.unflatten(-1, (-1, 8)).transpose(1, 2)
    np.testing.assert_allclose(layer.values.norm, values.norm(dim=-1).numpy(), rtol=1e-5)
    heads = layer.summary.entropy.shape[1]
    matrix = projection.weight().dequantize().T.unflatten(0, (heads, 8))
    each = values.repeat_interleave(heads // values.shape[1], dim=1) @ matrix
    groups = each.square().sum(-1).unflatten(1, (values.shape[1], -1)).mean(2)
    np.testing.assert_allclose(layer.written.norm, groups.sqrt().numpy(), rtol=1e-3)


def test_every_statistic_of_a_packed_model_is_there():
    data = lens.measure(packed("llama"), TOKENS[:1, :6], statistics=tuple(STATISTICS))
    assert not [name for name in data.data_vars if "why_not" in data[name].attrs]


def test_matrices_that_round_what_they_are_given_decide_what_rounding_is():
    assert rounding_of_stored(family("llama")) == 0.0
    assert 1e-3 < rounding_of_stored(packed("llama")) < 2e-2
    several = family("llama")
    several.model.in_features = 3  # a module of several others may say so, as that of Aria does
    assert rounding_of_stored(several) == 0.0
    stored = family("llama")
    stored.lm_head = Stored(stored.lm_head)
    assert 0.0 < rounding_of_stored(stored) < 1e-6


def test_a_packed_model_is_held_against_itself_alone_and_a_planted_error_is_refused(monkeypatch):
    model = packed("llama")
    assert record(model, TOKENS, sites=(SUMMARY,)).provenance["fidelity_output"] < 1e-2
    shifted = OwnCall.compare
    monkeypatch.setattr(
        OwnCall, "compare", lambda own, out, **place: shifted(own, 1.01 * out, **place)
    )
    with pytest.raises(RuntimeError, match="attends otherwise than the model's own attention"):
        record(model, TOKENS, sites=(SUMMARY,))


def test_a_projection_of_another_name_is_found():
    model = distilbert()
    found = record(model, TOKENS[:, :1], sites=(WRITTEN,)).layers[0].written
    expected = sizes_by_hand(model, "distilbert.transformer.layer.0.attention.out_lin")
    np.testing.assert_allclose(found.norm[:, :, 0], expected, rtol=1e-12)
    data = lens.measure(model, TOKENS)
    without = [name for name in data.data_vars if "why_not" in data[name].attrs]
    assert without == ["loss"]


@pytest.mark.parametrize("model", [afmoe], ids=["gate"])
def test_statistics_that_need_no_projection_are_kept_where_none_takes_the_output(model):
    data = lens.measure(model(), TOKENS, statistics=(*NEEDS_W_O, *NEEDS_NONE))
    for name in NEEDS_W_O:
        assert np.isnan(data[name]).all(), name
        assert NOT_AS_IT_IS in data[name].attrs["why_not"]
    for name in NEEDS_NONE:
        assert np.isfinite(data[name]).any(), name
        assert "why_not" not in data[name].attrs


def gated(inplace):
    """Return a model that halves what the attention returns before W_O."""
    model = family("llama", dtype=torch.float64)

    def halve(module, args):
        return (args[0].mul_(0.5),) if inplace else (args[0] * 0.5,)

    for layer in model.model.layers:
        layer.self_attn.o_proj = torch.nn.Sequential(layer.self_attn.o_proj)
        layer.self_attn.o_proj.register_forward_pre_hook(halve)
    return model


@pytest.mark.parametrize("inplace", [True, False])
def test_an_output_that_is_changed_on_its_way_is_not_taken_for_what_was_returned(inplace):
    found = record(gated(inplace), TOKENS, sites=(SUMMARY, VALUES, WRITTEN)).layers[0]
    assert found.written is None
    assert NOT_AS_IT_IS in found.why_not["written"]
    assert np.isfinite(found.values.norm).all()


def test_a_layer_that_writes_gives_no_reason_why_not():
    layers = record(family("llama"), TOKENS).layers
    assert all("written" not in layer.why_not for layer in layers)


def test_statistics_of_what_is_written_say_that_they_need_it():
    assert {name for name, each in STATISTICS.items() if WRITTEN in each.needs} == {
        "written_value_drain", "sink_output_share", "output_account", "value_decomposition",
        "triad_agreement", "norm_entropy", "norm_entropy_centred", "first_norm_share",
        "first_norm_share_centred",
    }  # fmt: skip
