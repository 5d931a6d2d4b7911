import copy

import families
import numpy as np
import pytest
import torch
import transformers as tf
from families import DECODERS, FAMILIES, LANGUAGE, family
from shapes import is_linear

from dva_lens.recording.adapters.call import UNREADABLE
from dva_lens.recording.patterns import summary_of
from dva_lens.recording.record import attach, record
from dva_lens.sites import LOSS, STREAM, SUMMARY, VALUES, WRITTEN

LENGTHS = np.array([13, 8])
SLIDING = {"mistral": (5, 5), "phi3": (5, 5)} | dict.fromkeys(
    ("qwen2", "gemma2", "gemma3", "gpt-oss"), (5, None)
)
PER_QUERY = (
    "entropy", "square_sum", "largest", "first_mass", "self_mass", "previous_mass", "distance",
    "row_mass",
)  # fmt: skip


def _ids(lengths=LENGTHS, seed=0):
    ids = np.random.default_rng(seed).integers(3, families.VOCABULARY, (len(lengths), 13))
    return np.where(np.arange(13) < lengths[:, None], ids, 0)


def _inputs(ids, lengths):
    mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


EXACT = 1e-9
"""Models in float64 agree to well below what any error in float32 would make."""


def _tolerance(dtype):
    """Return what two layers of half precision lose of a number of size one."""
    return 64 * torch.finfo(dtype).eps


def _check_summary(found, pattern, lengths, *, causal, window):
    expected = summary_of(pattern.numpy(), lengths, causal=causal, window=window)
    for name in PER_QUERY:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=EXACT, err_msg=name
        )
    np.testing.assert_allclose(found.received, expected.received, atol=EXACT)
    np.testing.assert_array_equal(found.visible, expected.visible)
    np.testing.assert_array_equal(found.viewers, expected.viewers)


@pytest.mark.parametrize("lengths", [LENGTHS, np.array([13, 13])], ids=["padded", "full"])
@pytest.mark.parametrize("name", LANGUAGE)
def test_a_family_is_measured_as_its_eager_patterns_say(name, lengths):
    ids = _ids(lengths)
    with families.exact():
        found = record(family(name, dtype=torch.float64), ids, lengths)
    model = family(name, attention="eager", dtype=torch.float64)
    patterns, streams, _ = families.eager(model, **_inputs(ids, lengths))
    windows = SLIDING.get(name, (None, None))
    for layer, pattern, window in zip(found.layers, patterns, windows, strict=True):
        _check_summary(
            layer.summary, pattern, lengths,
            causal=name in DECODERS, window=window,
        )  # fmt: skip
    if name != "opt":  # its last state is after the final norm, as everybody's; its first is not
        norm = streams[1].norm(dim=-1).numpy()
        np.testing.assert_allclose(found.layers[0].stream.norm[0], norm[0], rtol=EXACT)
    assert found.provenance["fidelity_output"] < EXACT


def test_images_are_measured_as_their_eager_patterns_say():
    images = np.random.default_rng(0).standard_normal((2, 3, 12, 12))
    found = record(family("vit", dtype=torch.float64), images)
    model = family("vit", attention="eager", dtype=torch.float64)
    patterns, _, _ = families.eager(model, pixel_values=torch.tensor(images))
    assert found.lengths.tolist() == [10, 10]
    assert found.loss is None
    for layer, pattern in zip(found.layers, patterns, strict=True):
        _check_summary(
            layer.summary, pattern, found.lengths,
            causal=False, window=None,
        )  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_the_loss_is_the_models_own(name):
    ids = _ids()
    found = record(family(name), ids, LENGTHS, sites=(LOSS,))
    labels = torch.tensor(np.where(np.arange(13) < LENGTHS[:, None], ids, -100))
    own = family(name)(**_inputs(ids, LENGTHS), labels=labels).loss
    np.testing.assert_allclose(np.nanmean(found.loss), own.item(), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["gpt2", "qwen3", "gemma2", "gpt-oss"])
def test_half_precision_stays_within_its_own_error(name, dtype):
    model = family(name, dtype=dtype)
    found = record(model, _ids(), LENGTHS)
    truth = record(family(name), _ids(), LENGTHS)
    assert found.provenance["dtype"] == str(dtype).removeprefix("torch.")
    summary, exact = found.layers[0].summary, truth.layers[0].summary
    assert summary.entropy.dtype == np.float32
    assert np.nanmax(np.abs(summary.entropy - exact.entropy)) < _tolerance(dtype)
    assert found.provenance["fidelity_rows"] < 1e-5
    if name != "gpt-oss":  # one expert per token: where two are equally good, rounding chooses
        assert found.provenance["fidelity_output"] < _tolerance(dtype) * 4


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma3", "gpt-oss"])
def test_left_padding_changes_nothing(name):
    ids, model = _ids(), family(name)
    plain = record(model, ids, LENGTHS)
    left = np.stack([np.roll(row, 13 - size) for row, size in zip(ids, LENGTHS, strict=True)])
    mask = torch.tensor((np.arange(13) >= 13 - LENGTHS[:, None]).astype(np.int64))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad(), attach(model, (SUMMARY, VALUES, WRITTEN, STREAM)) as recorder:
        model(input_ids=torch.tensor(left), attention_mask=mask, position_ids=positions)
        layers = recorder.take(2)
    for found, expected in zip(layers, plain.layers, strict=True):
        for site in ("summary", "values", "stream"):
            one, other = getattr(found, site), getattr(expected, site)
            for field in vars(other):
                np.testing.assert_allclose(
                    getattr(one, field), getattr(other, field), atol=3e-4, err_msg=field
                )


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma3"])
def test_texts_packed_into_one_row_are_measured_apart(name):
    ids, model = _ids(), family(name)
    plain = record(model, ids, LENGTHS)
    packed = np.concatenate([ids[0], ids[1, :8]])[None]
    positions = torch.cat([torch.arange(13), torch.arange(8)])[None]
    with torch.no_grad(), attach(model, (SUMMARY,)) as recorder:
        model(input_ids=torch.tensor(packed), position_ids=positions, use_cache=False)
        assert recorder.lengths.tolist() == [13, 8]
        layers = recorder.take(2)
    for found, expected in zip(layers, plain.layers, strict=True):
        np.testing.assert_allclose(found.summary.entropy, expected.summary.entropy, atol=3e-4)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("gpt2", "transformer.h.0.attn.c_proj"),
        ("llama", "model.layers.0.self_attn.o_proj"),
        ("gpt-neox", "gpt_neox.layers.0.attention.dense"),
        ("opt", "model.decoder.layers.0.self_attn.out_proj"),
        ("bert", "bert.encoder.layer.0.attention.output.dense"),
        ("roberta", "roberta.encoder.layer.0.attention.output.dense"),
    ],
)
def test_what_a_value_writes_is_what_the_projection_makes_of_it(name, path):
    model, ids = family(name), _ids()
    projection = model.get_submodule(path)
    heads, width = 4, 8
    taken = []
    with torch.no_grad():
        handle = projection.register_forward_pre_hook(lambda m, args: taken.append(args[0]))
        found = record(model, ids, LENGTHS).layers[0]
        handle.remove()
        # the first position of a causal model holds its own value and nothing else
        mixed = taken[-1].unflatten(-1, (heads, width))
        bias = projection.bias if projection.bias is not None else 0
        written = []
        for head in range(heads):
            alone = torch.zeros_like(mixed)
            alone[:, :, head] = mixed[:, :, head]
            written.append(projection(alone.flatten(-2)) - bias)
    output = torch.stack(written, dim=1).norm(dim=-1).numpy()
    kv_heads = found.values.norm.shape[1]
    assert kv_heads == (2 if name == "llama" else 4)
    np.testing.assert_allclose(
        found.summary.output_norm[0], mixed[0].norm(dim=-1).T.numpy(), rtol=1e-4, atol=1e-6
    )
    if name in DECODERS:
        grouped = np.sqrt((output[:, :, 0] ** 2).reshape(2, kv_heads, -1).mean(-1))
        np.testing.assert_allclose(found.written.norm[:, :, 0], grouped, rtol=1e-4)
        np.testing.assert_allclose(found.written.first[:, :, 0], 1.0, rtol=1e-4)


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "bert", "vit"])
def test_a_model_is_left_as_it_was(name):
    model = family(name).train()
    images = np.zeros((1, 3, 12, 12), dtype=np.float32)
    before = copy.deepcopy(model.config.to_dict()), model.config._attn_implementation
    record(model, images if name == "vit" else _ids(), None if name == "vit" else LENGTHS)
    assert (model.config.to_dict(), model.config._attn_implementation) == before
    assert model.training
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_an_error_on_the_way_leaves_the_model_as_it_was():
    model = family("llama")
    with pytest.raises(KeyboardInterrupt), attach(model):
        raise KeyboardInterrupt
    assert model.config._attn_implementation == "sdpa"
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())


def test_a_layer_that_never_calls_is_named():
    model = family("llama")
    layer = model.model.layers[1].self_attn
    layer.forward = lambda hidden_states, **_: (hidden_states, None)
    with pytest.raises(TypeError, match=r"model\.layers\.1 without calling the recorder \(1 of 2"):
        record(model, _ids(), LENGTHS)
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("cls", "config"),
    [
        (tf.BloomForCausalLM, tf.BloomConfig(vocab_size=61, hidden_size=32, n_layer=2, n_head=4)),
        (tf.MptForCausalLM, tf.MptConfig(vocab_size=61, d_model=32, n_layers=2, n_heads=4)),
        (
            tf.FalconForCausalLM,
            tf.FalconConfig(
                vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                alibi=True,
            ),
        ),
        *(
            (cls, config(**families.COMMON, relative_attention=True, pos_att_type=["c2p", "p2c"]))
            for cls, config in (
                (tf.DebertaForMaskedLM, tf.DebertaConfig),
                (tf.DebertaV2ForSequenceClassification, tf.DebertaV2Config),
            )
        ),
    ],
    ids=["bloom", "mpt", "falcon", "deberta", "deberta-v2"],
)  # fmt: skip
def test_families_with_attention_of_their_own_are_refused_by_name(cls, config):
    with pytest.raises(TypeError, match=f"{cls.__name__} computes attention in code of its own"):
        record(cls(config), _ids(), LENGTHS)


@pytest.mark.parametrize("argument", UNREADABLE)
def test_what_no_kernel_knows_is_refused_by_name(argument):
    model = family("llama")
    model.model.layers[0].self_attn.register_forward_pre_hook(
        lambda module, args, call: (args, call | {argument: torch.ones(1)}), with_kwargs=True
    )
    with pytest.raises(NotImplementedError, match=f"asks for {argument}, {UNREADABLE[argument]}"):
        record(model, _ids(), LENGTHS)


def test_a_cache_is_refused():
    model = family("llama")
    ids = torch.tensor(_ids())
    cache = model(input_ids=ids, use_cache=True).past_key_values
    with pytest.raises(NotImplementedError, match="13 queries for 26 keys"), attach(model):
        model(input_ids=ids, past_key_values=cache)


def test_nothing_of_the_size_of_a_pattern_is_formed():
    config = tf.Gemma3TextConfig(
        **{**families.GROUPED, "max_position_embeddings": 1024}, head_dim=8, sliding_window=50,
        layer_types=families.SLIDING,
    )  # fmt: skip
    model = tf.Gemma3ForCausalLM(config).eval()

    def run(length):
        ids = np.random.default_rng(0).integers(3, families.VOCABULARY, (1, length))
        record(model, ids)

    assert is_linear(run, 400)
    model.set_attn_implementation("eager")
    assert not is_linear(lambda length: model(torch.zeros(1, length, dtype=torch.long)), 400)


def test_an_attention_that_does_not_tell_what_it_does_is_found_out():
    model = family("llama")
    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(_looks_back_three_keys, with_kwargs=True)
    with pytest.raises(RuntimeError, match="puts out something else"):
        record(model, _ids())


def _looks_back_three_keys(module, args, kwargs):
    """Change the mask of a tensor, and leave one that is not a tensor as it is."""
    mask = kwargs["attention_mask"]
    if mask is None or isinstance(mask, torch.Tensor):
        place = torch.arange(kwargs["hidden_states"].shape[1])
        near = (place[:, None] - place).clamp(min=0) < 3
        kwargs["attention_mask"] = (near & (place <= place[:, None]))[None, None]
    return args, kwargs


def test_every_family_of_the_table_is_covered():
    assert len(FAMILIES) == 15
