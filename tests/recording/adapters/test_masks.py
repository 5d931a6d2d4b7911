"""What is recorded is what the model's own mask lets its layers see, whatever shape it has."""

import families
import numpy as np
import pytest
import torch
import transformers as tf

from dva_lens.recording.adapters import adapter_of
from dva_lens.recording.adapters.masks import model_mask
from dva_lens.recording.closeup import attention_and_output
from dva_lens.recording.record import attach, record
from dva_lens.sites import SUMMARY, TILES
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.table import STATISTICS

EXACT = 1e-9
WIDE = {**families.GROUPED, "max_position_embeddings": 128}
LENGTHS = ((7, 37), (37, 9), (1, 2), (24, 24))
MODELS = {
    "chunked": (
        tf.Llama4ForCausalLM,
        lambda: tf.Llama4TextConfig(
            **WIDE, head_dim=8, attention_chunk_size=8, num_local_experts=2,
            intermediate_size_mlp=48, num_experts_per_tok=1,
        ),
    ),
    "windowed in the mask alone": (
        tf.PhimoeForCausalLM,
        lambda: tf.PhimoeConfig(**WIDE, sliding_window=5, num_local_experts=2),
    ),
    "window of its own on both sides": (
        tf.ModernBertForMaskedLM,
        lambda: tf.ModernBertConfig(
            **families.COMMON, cls_token_id=1, sep_token_id=2, local_attention=6,
            global_attn_every_n_layers=2,
        ),
    ),
    "bidirectional decoder": (
        tf.Gemma2ForCausalLM,
        lambda: tf.Gemma2Config(
            **WIDE, head_dim=8, sliding_window=6, layer_types=families.SLIDING, is_causal=False
        ),
    ),
}  # fmt: skip


def build(name, *, attention=None):
    """Return a model in float64 whose attention is far from uniform."""
    cls, config = MODELS[name]
    settings = config()
    settings._experts_implementation = "eager"
    if attention is not None:
        settings._attn_implementation = attention
    torch.manual_seed(0)
    model = cls(settings)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.mul_(8.0 if parameter.ndim > 1 and "embed" not in key else 1.0)
    return model.double().eval()


def texts(lengths):
    longest = max(lengths)
    ids = np.random.default_rng(0).integers(3, families.VOCABULARY, (len(lengths), longest))
    return np.where(np.arange(longest) < np.array(lengths)[:, None], ids, 0)


def check(summary, pattern, sequence, length):
    """Compare the numbers of one sequence with its pattern (head, query, key)."""
    pattern = pattern.numpy()
    logs = np.log(np.where(pattern > 0, pattern, 1.0))
    place = np.arange(length)
    want = {
        "entropy": -(pattern * logs).sum(-1),
        "largest": pattern.max(-1),
        "first_mass": pattern[..., 0],
        "received": pattern.sum(-2),
        "distance": (pattern * (place[:, None] - place)).sum(-1),
    }
    for name, numbers in want.items():
        found = getattr(summary, name)[sequence, :, :length]
        np.testing.assert_allclose(found, numbers, rtol=0, atol=EXACT, err_msg=name)
    seen = pattern[0] > 0
    np.testing.assert_array_equal(summary.visible[sequence, :length], seen.sum(-1))
    np.testing.assert_array_equal(summary.viewers[sequence, :length], seen.sum(-2))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_measured_as_its_eager_patterns_say(name, lengths):
    ids = texts(lengths)
    with families.exact():
        found = record(build(name), ids, np.array(lengths))
    padding = torch.tensor((np.arange(ids.shape[1]) < np.array(lengths)[:, None]).astype(np.int64))
    patterns, _, _ = families.eager(
        build(name, attention="eager"), input_ids=torch.tensor(ids), attention_mask=padding
    )
    for layer, pattern in zip(found.layers, patterns, strict=True):
        for sequence, length in enumerate(lengths):
            check(layer.summary, pattern[sequence, :, :length, :length], sequence, length)


def test_left_padding_shifts_the_chunks():
    lengths, longest = (7, 37), 37
    model, ids = build("chunked"), texts(lengths)
    left = np.stack([np.roll(row, longest - n) for row, n in zip(ids, lengths, strict=True)])
    mask = torch.tensor((np.arange(longest) >= longest - np.array(lengths)[:, None]).astype(int))
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    inputs = {
        "input_ids": torch.tensor(left), "attention_mask": mask, "position_ids": places,
    }  # fmt: skip
    with torch.no_grad(), families.exact(), attach(model, (SUMMARY,)) as recorder:
        model(**inputs)
        layers = recorder.take(2)
    patterns, _, _ = families.eager(build("chunked", attention="eager"), **inputs)
    for layer, pattern in zip(layers, patterns, strict=True):
        for sequence, length in enumerate(lengths):
            start = longest - length
            check(layer.summary, pattern[sequence, :, start:, start:], sequence, length)


def attached(model, **inputs):
    """Return the lengths and layers of a pass that somebody else runs."""
    with torch.no_grad(), families.exact(), attach(model, (SUMMARY,)) as recorder:
        model(**inputs)
        return recorder.lengths.tolist(), recorder.take(2)


PACKED = torch.cat([torch.arange(13), torch.arange(21)])[None]


@pytest.mark.parametrize("name", ["chunked", "windowed in the mask alone"])
def test_texts_packed_into_one_row_are_apart_where_the_mask_keeps_them_apart(name):
    inputs = {
        "input_ids": torch.tensor(texts((34,))), "position_ids": PACKED, "use_cache": False,
    }  # fmt: skip
    lengths, layers = attached(build(name), **inputs)
    patterns, _, _ = families.eager(build(name, attention="eager"), **inputs)
    assert lengths == [13, 21]
    for layer, pattern in zip(layers, patterns, strict=True):
        check(layer.summary, pattern[0, :, :13, :13], 0, 13)
        check(layer.summary, pattern[0, :, 13:, 13:], 1, 21)


@pytest.mark.parametrize("why", ["the model packs nothing", "a mask was passed"])
def test_texts_that_see_each_other_are_one_text(why):
    name = "gpt-oss" if why == "the model packs nothing" else "llama"
    inputs = {
        "input_ids": torch.tensor(texts((34,))), "position_ids": PACKED, "use_cache": False,
    }  # fmt: skip
    if name == "llama":
        inputs["attention_mask"] = torch.ones(1, 34, dtype=torch.long)
    lengths, layers = attached(families.family(name, dtype=torch.float64), **inputs)
    eager = families.family(name, attention="eager", dtype=torch.float64)
    patterns, _, _ = families.eager(eager, **inputs)
    assert lengths == [34]
    for layer, pattern in zip(layers, patterns, strict=True):
        check(layer.summary, pattern[0], 0, 34)


def paligemma(attention):
    vision = {
        "model_type": "siglip_vision_model", "hidden_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "image_size": 8, "patch_size": 4,
    }  # fmt: skip
    config = tf.PaliGemmaConfig(
        text_config=dict(WIDE, model_type="gemma", head_dim=8), vision_config=vision,
        image_token_index=60, projection_dim=32, attn_implementation=attention,
    )  # fmt: skip
    torch.manual_seed(0)
    return tf.PaliGemmaForConditionalGeneration(config).double().eval()


def test_a_prefix_is_seen_by_all():
    """The prompt of PaliGemma is seen both ways; its answer is causal."""
    ids = torch.tensor(texts((19,))).clamp(max=59)
    inputs = {
        "input_ids": ids, "token_type_ids": (torch.arange(19) >= 11).long()[None],
        "attention_mask": torch.ones_like(ids),
    }  # fmt: skip
    _, layers = attached(paligemma("sdpa"), **inputs)
    patterns, _, _ = families.eager(paligemma("eager"), **inputs)
    assert layers[0].summary.visible[0].tolist() == [11] * 11 + list(range(12, 20))
    for layer, pattern in zip(layers, patterns, strict=True):
        check(layer.summary, pattern[0], 0, 19)


def test_tiles_and_a_closer_look_know_the_mask():
    lengths = (7, 37)
    model, ids = build("chunked"), texts(lengths)
    reader = StatisticReader.of([STATISTICS["gini"]])
    whole = record(model, ids, np.array(lengths), sites=(SUMMARY, TILES), reader=reader)
    alone = record(model, ids[1:], sites=(SUMMARY, TILES), reader=reader)
    np.testing.assert_allclose(
        whole.layers[0].tiles["gini"][1], alone.layers[0].tiles["gini"][0], atol=1e-6
    )
    call, _ = attention_and_output(adapter_of(model), ids[1], 0)
    assert call.weights.mask is not None
    assert call.weights.causal


def plain(function, length, **settings):
    return model_mask(1, length, length, mask_function=function, **settings)


def test_a_mask_goes_through_a_model_as_a_tensor_of_four_dimensions_would():
    mask = plain(lambda b, h, q, k: k <= q, 9)
    assert mask.shape == (1, 1, 9, 9)
    assert len(mask.shape) == mask.ndim
    assert mask.to("cpu", torch.float32).contiguous() is mask
    assert mask[:, :, :, :9] is mask
    assert mask[..., :9] is mask
    assert str(mask) == "ModelMask(shape=(1, 1, 9, 9))"
    pairs = torch.ones(9, 9, dtype=torch.bool).tril()[None, None]
    assert torch.equal(mask[:, :, 1:], pairs[:, :, 1:])
    assert torch.equal(mask & pairs, pairs)
    assert torch.equal(pairs & mask, pairs)
    scores = torch.zeros(1, 2, 9, 9)
    assert torch.equal(scores + mask == 0, pairs.expand(1, 2, 9, 9))


def test_masks_are_joined_where_queries_read_two_texts_at_once_and_computed_with_nowhere():
    mask = plain(lambda b, h, q, k: k <= q, 3)
    both = torch.cat([mask, mask], dim=-1)
    assert both.shape == (1, 1, 3, 6)
    assert torch.equal(both[..., :3], mask.pairs())
    with pytest.raises(NotImplementedError, match="computes exp of its mask"):
        torch.exp(mask)
