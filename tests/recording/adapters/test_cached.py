"""Token by token through a cache, and all tokens in one pass: one record, number for number."""

from dataclasses import fields

import families
import numpy as np
import pytest
import torch
import transformers as tf
from families import family

from dva_lens.recording.record import attach
from dva_lens.sites import DYNAMICS, MIX, STREAM, SUMMARY, VALUES, WRITTEN

SITES = (SUMMARY, VALUES, WRITTEN, STREAM, MIX, DYNAMICS)
EXACT = 1e-9


def prompt(*, left=False):
    ids = torch.tensor(np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 9)))
    mask = torch.ones_like(ids)
    if left:
        mask[1, :4] = 0
    return ids, mask


def written(model, ids, mask, **options):
    """Return the record of a model that writes, and all tokens that it ran over."""
    with families.exact(), torch.no_grad(), attach(model, SITES) as recorder:
        found = model.generate(
            ids, attention_mask=mask, max_new_tokens=6, min_new_tokens=6, do_sample=False,
            pad_token_id=0, **options,
        )  # fmt: skip
        return recorder.take(model.config.num_hidden_layers), found[:, :-1]


def at_once(model, ids, mask):
    with families.exact(), torch.no_grad(), attach(model, SITES) as recorder:
        places = (mask.cumsum(1) - 1).clamp(min=0)
        model(ids, attention_mask=mask, position_ids=places, use_cache=False)
        return recorder.take(model.config.num_hidden_layers)


def check(layers, truth):
    for ours, theirs in zip(layers, truth, strict=True):
        for site in SITES:
            mine, other = ours.at(site), theirs.at(site)
            for each in fields(other):
                wanted = getattr(other, each.name)
                if isinstance(wanted, np.ndarray):
                    np.testing.assert_allclose(
                        getattr(mine, each.name), wanted, rtol=EXACT, atol=EXACT,
                        err_msg=f"{site.name}.{each.name}",
                    )  # fmt: skip


@pytest.mark.parametrize("left", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral", "gemma2", "gpt-oss", "opt"])
def test_generation_is_one_pass_over_what_it_wrote(name, left):
    model = family(name, dtype=torch.float64)
    ids, mask = prompt(left=left)
    layers, found = written(model, ids, mask)
    whole = torch.cat([mask, torch.ones(2, found.shape[1] - 9, dtype=torch.long)], dim=1)
    check(layers, at_once(model, found, whole))
    assert layers[0].summary.entropy.shape[-1] == 14


def test_a_static_cache_is_the_same_pass():
    model = family("llama", dtype=torch.float64)
    ids, mask = prompt()
    layers, found = written(model, ids, mask, cache_implementation="static")
    check(layers, at_once(model, found, torch.ones_like(found)))


def test_what_is_written_is_what_the_model_writes_by_itself():
    model = family("mistral", dtype=torch.float64)
    ids, mask = prompt(left=True)
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    alone = model.generate(ids, attention_mask=mask, **options)
    _, found = written(model, ids, mask)
    assert torch.equal(found, alone[:, :-1])


def test_a_prompt_may_come_in_pieces():
    model = family("gemma2", dtype=torch.float64)
    ids, mask = prompt()
    with families.exact(), torch.no_grad(), attach(model, SITES) as recorder:
        cache = tf.DynamicCache(config=model.config)
        for piece in ids.split(4, dim=1):
            model(piece, past_key_values=cache)
        layers = recorder.take(2)
    check(layers, at_once(model, ids, mask))


def test_another_text_begins_another_pass():
    model = family("llama", dtype=torch.float64)
    ids, mask = prompt()
    with families.exact(), torch.no_grad(), attach(model, SITES) as recorder:
        model.generate(ids, max_new_tokens=3, pad_token_id=0)
        model(ids)
        layers = recorder.take(2)
    check(layers, at_once(model, ids, mask))


def test_a_cache_that_was_filled_before_is_refused():
    model = family("llama")
    ids, _ = prompt()
    with torch.no_grad():
        cache = model(ids, use_cache=True).past_key_values
        with (
            attach(model, [SUMMARY]),
            pytest.raises(NotImplementedError, match="a cache that was filled before"),
        ):
            model(ids[:, :1], past_key_values=cache)


def test_beams_are_refused_by_name():
    model = family("llama")
    ids, _ = prompt()
    with (
        torch.no_grad(),
        attach(model, [SUMMARY]),
        pytest.raises(NotImplementedError, match=r"was rearranged between two calls \(as beam"),
    ):
        model.generate(ids, num_beams=3, max_new_tokens=8, min_new_tokens=8, pad_token_id=0)
