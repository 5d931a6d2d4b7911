import math

import pytest
import torch
from small_models import SIZE, random_tokens, sharp_preset
from tokenizers import Tokenizer, models, pre_tokenizers

from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset


def test_the_same_seed_gives_the_same_weights_and_leaves_the_generator_alone():
    config = preset("dva", SIZE)
    state = torch.random.get_rng_state()
    one, two, other = build(config, 1), build(config, 1), build(config, 2)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))
    assert not torch.equal(one.W_E, other.W_E)


def test_models_that_differ_in_form_start_from_the_same_weights():
    pairwise, separable = (build(preset(n, SIZE)).state_dict() for n in ("dva", "dva-separable"))
    assert list(pairwise) == list(separable)
    assert all(map(torch.equal, pairwise.values(), separable.values()))


def test_an_untrained_model_is_as_good_as_guessing():
    loss = build(SIZE.config())(random_tokens(8, 32), return_type="loss").item()
    assert loss == pytest.approx(math.log(SIZE.vocabulary), abs=0.05)


def test_writers_start_smaller_by_depth():
    wide = Size(layers=8, width=128, heads=2, vocabulary=40, context=16)
    block = build(preset("gpt2-style", wide)).blocks[0]
    assert block.attn.out.weight.std().item() == pytest.approx(0.02 / 4, rel=0.03)
    assert block.attn.query.weight.std().item() == pytest.approx(0.02, rel=0.03)


def test_the_loss_counts_tokens_of_the_same_text_only():
    model, tokens = sharp_preset("transformer"), random_tokens(1, 12)
    with torch.no_grad():
        padded = model(tokens, lengths=torch.tensor([7]), return_type="loss")
        alone = model(tokens[:, :7], return_type="loss")
        logits, both = model(tokens, return_type="both")
    torch.testing.assert_close(padded, alone)
    picked = logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])
    torch.testing.assert_close(both, -picked.mean())


def test_stopping_at_a_layer_gives_the_stream_before_it():
    model, tokens = sharp_preset("denseformer"), random_tokens()
    _, cache = model.run_with_cache(tokens)
    for layer in range(3):
        stopped = model(tokens, stop_at_layer=layer)
        torch.testing.assert_close(stopped, cache["resid_pre", layer])
    torch.testing.assert_close(model(tokens, stop_at_layer=3), cache["resid_post", 2])


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (torch.zeros(1, 33, dtype=torch.long), "32 positions, got 33 tokens; split the text"),
        (torch.tensor([[3, 41]]), "between 0 and 40, got 41"),
        (torch.tensor([[3, -1]]), "between 0 and 40, got -1"),
        (torch.zeros(1, 0, dtype=torch.long), "at least one position"),
    ],
)
def test_bad_tokens_are_refused(tokens, said):
    with pytest.raises(ValueError, match=said):
        build(SIZE.config())(tokens)


def test_lengths_and_segments_exclude_each_other():
    tokens = random_tokens()
    with pytest.raises(ValueError, match="lengths or segments, not both"):
        build(SIZE.config())(
            tokens, lengths=torch.tensor([3, 3]), segments=torch.ones_like(tokens)
        )
    with pytest.raises(ValueError, match="one number per sequence"):
        build(SIZE.config())(tokens, lengths=torch.tensor([3]))


@pytest.mark.parametrize("name", ["transformer", "gqa", "dva", "dva-experts", "dva-separable"])
def test_dynamic_values_are_what_the_attention_mixes(name):
    model, tokens = sharp_preset(name), random_tokens()
    every = torch.arange(13)
    with torch.no_grad():
        pairs = model.dynamic_values(tokens, 1, every, every)
        _, cache = model.run_with_cache(tokens)
    mixed = torch.einsum("bhqk,bhqkd->bqhd", cache["pattern", 1], pairs)
    torch.testing.assert_close(mixed, cache["blocks.1.attn.mix.hook_z"], rtol=0, atol=1e-10)
    some = model.dynamic_values(tokens, 1, torch.tensor([4]), torch.tensor([7, 2]))
    torch.testing.assert_close(some, pairs[:, :, 4:5][..., [7, 2], :])
    with pytest.raises(ValueError, match="layer must lie between 0 and 2, got 3"):
        model.dynamic_values(tokens, 3, every, every)


def test_attend_is_swapped_as_a_plain_attribute_and_never_sees_hooks():
    model, tokens = sharp_preset("resformer-identity"), random_tokens()
    attention, calls = model.blocks[1].attn, []
    own = attention.attend

    def attend(query, key, values, weights):
        calls.append({name: each.shape for name, each in attention.value_parts.items()})
        return own(query, key, values, weights)

    attention.attend = attend
    model(tokens)
    assert calls == [{"own": (2, 2, 13, 16), "first": (2, 2, 13, 16)}]
    assert attention.value_parts is None
    model.run_with_cache(tokens, names_filter="blocks.1.attn.hook_pattern")
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["transformer", "dva", "dva-query-gate", "learned-sink"])
def test_an_edited_pattern_takes_effect(name):
    model, tokens = sharp_preset(name), random_tokens()

    def own_only(pattern, hook):
        return torch.eye(pattern.shape[-1], dtype=pattern.dtype).expand_as(pattern)

    seen = {}
    with torch.no_grad():
        model.run_with_hooks(
            tokens,
            fwd_hooks=[
                ("blocks.1.attn.hook_pattern", own_only),
                ("blocks.1.attn.mix.hook_z", lambda z, hook: seen.update(z=z)),
            ],
        )
        every = torch.arange(13)
        pairs = model.dynamic_values(tokens, 1, every, every)
    own = pairs.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)
    torch.testing.assert_close(seen["z"], own, rtol=0, atol=1e-10)


def test_the_operands_of_a_pair_are_hooked_and_an_edit_takes_effect():
    model, tokens = sharp_preset("dva"), random_tokens()
    _, cache = model.run_with_cache(tokens, names_filter=lambda name: ".mix." in name)
    query, key = (cache[f"blocks.1.attn.mix.hook_{each}"] for each in "qv")
    pair = model.dynamic_values(tokens, 1, torch.tensor([5]), torch.tensor([3]))[:, :, 0, 0]
    torch.testing.assert_close(torch.nn.functional.gelu(query[:, 5] + key[:, 3]), pair)
    silenced = model.run_with_hooks(
        tokens, fwd_hooks=[("blocks.1.attn.mix.hook_q", lambda each, hook: torch.zeros_like(each))]
    )
    assert not torch.allclose(silenced, model(tokens))


@pytest.fixture
def tokenizer():
    words = {word: number for number, word in enumerate(("red", "green", "blue", "and"))}
    made = Tokenizer(models.WordLevel(words, unk_token="and"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def test_text_goes_in_where_there_is_a_tokenizer(tokenizer):
    model = build(SIZE.config())
    with pytest.raises(ValueError, match="The model has no tokenizer"):
        model("red and blue")
    model.tokenizer = tokenizer
    assert model.to_tokens("red and blue").tolist() == [[0, 3, 2]]
    assert model("red and blue").shape == (1, 3, SIZE.vocabulary)
    assert model.to_str_tokens("green and") == ["green", "and"]
    assert model.to_single_token("blue") == 2
    assert model.to_single_str_token(2) == "blue"
    with pytest.raises(ValueError, match="is 2 tokens, not one"):
        model.to_single_token("red blue")
    with pytest.raises(ValueError, match=r"equally many tokens, at least one, got \[1, 2\]"):
        model.to_tokens(["red", "red red"])
