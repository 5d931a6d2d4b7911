"""Masks with an entry for every pair: a model that picks keys by content, and a user's own."""

import families
import numpy as np
import pytest
import torch
import transformers as tf

from dva_lens.recording.adapters.masks import allowed_pairs
from dva_lens.recording.record import attach, record
from dva_lens.sites import SUMMARY

LENGTHS = np.array([13, 8])
IDS = np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 13))
PADDED = np.where(np.arange(13) < LENGTHS[:, None], IDS, 0)
MOST = 4


def picking(attention):
    """Return a model whose queries see the keys that an indexer picks, at most `MOST` of them."""
    config = tf.DeepseekV32Config(
        **families.COMMON, num_key_value_heads=4, q_lora_rank=8, kv_lora_rank=8,
        qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, head_dim=8, index_topk=MOST,
        index_n_heads=2, index_head_dim=8, n_routed_experts=4, num_experts_per_tok=2, n_group=1,
        topk_group=1, moe_intermediate_size=16, first_k_dense_replace=2,
        attn_implementation=attention,
    )  # fmt: skip
    config._experts_implementation = "eager"
    torch.manual_seed(0)
    model = tf.DeepseekV32ForCausalLM(config).double().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim > 1 and "attn" in key:
                weight.mul_(8.0)
    return model


def check(summary, pattern, row, length):
    seen = pattern[row, :, :length, :length].numpy()
    logs = np.log(np.where(seen > 0, seen, 1.0))
    np.testing.assert_allclose(summary.entropy[row, :, :length], -(seen * logs).sum(-1), atol=1e-9)
    np.testing.assert_allclose(summary.received[row, :, :length], seen.sum(-2), atol=1e-9)


def test_keys_picked_by_content_are_the_ones_that_are_seen():
    with families.exact():
        found = record(picking("sdpa"), PADDED, LENGTHS, sites=(SUMMARY,))
        mask = torch.tensor(np.arange(13) < LENGTHS[:, None]).long()
        patterns, _, _ = families.eager(
            picking("eager"), input_ids=torch.tensor(PADDED), attention_mask=mask
        )
    for layer, pattern in zip(found.layers, patterns, strict=True):
        for row, length in enumerate(LENGTHS):
            check(layer.summary, pattern, row, length)
            expected = np.minimum(np.arange(length) + 1, MOST)
            assert layer.summary.visible[row, :length].tolist() == expected.tolist()
    assert found.provenance["fidelity_output"] < 1e-9


@pytest.mark.parametrize("kind", ["booleans", "numbers"])
def test_a_mask_of_pairs_that_is_passed_in_is_what_queries_see(kind):
    place = np.arange(13)
    seen = (place[:, None] >= place) & ((place[:, None] // 4 == place // 4) | (place == 0))
    mask = torch.tensor(seen)[None, None].expand(2, 1, 13, 13)
    added = torch.zeros(2, 1, 13, 13, dtype=torch.float64)
    added = added.masked_fill(~mask, torch.finfo(torch.float64).min)
    ids = torch.tensor(IDS)
    with families.exact():
        patterns, _, _ = families.eager(
            families.family("llama", attention="eager", dtype=torch.float64),
            input_ids=ids,
            attention_mask=added,
        )
        model = families.family("llama", dtype=torch.float64)
        with attach(model, [SUMMARY]) as recorder:
            model(input_ids=ids, attention_mask=mask if kind == "booleans" else added)
            layers = recorder.take(2)
    for layer, pattern in zip(layers, patterns, strict=True):
        for row in range(2):
            check(layer.summary, pattern, row, 13)
        assert layer.summary.visible[0].tolist() == seen.sum(-1).tolist()


def test_numbers_that_a_mask_adds_are_no_part_of_what_it_allows():
    assert bool(allowed_pairs(torch.full((1, 1, 3, 3), 0.5)).all())


def test_a_mask_that_differs_between_heads_is_refused():
    mask = torch.ones(1, 2, 3, 3, dtype=torch.bool)
    mask[0, 1, 2, 0] = False
    with pytest.raises(NotImplementedError, match="differs between heads"):
        allowed_pairs(mask)
