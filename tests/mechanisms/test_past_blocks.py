"""Rules that weigh past blocks as wholes, against second writings of the whole model."""

import numpy as np
import pytest
import torch
from materialised import assert_one_formula, second_writing, turned
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp

import dva_lens as lens
from dva_lens.kernels.block_sums import block_sums
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.models.size import Size
from dva_lens.recording import record

TOKENS = random_tokens()
KINDS = ("landmark", "combiner")


def at(vector, place):
    """Turn one vector per head as the position that it stands for."""
    stretched = vector.new_zeros(1, place + 1, *vector.shape)
    stretched[0, place] = vector
    return turned(stretched)[0, place]


def with_landmarks(size):
    """Return the grouped softmax of a text with a landmark after every whole block.

    The groups are those of the paper: keys with their block, landmarks with the query's own block.
    """

    def scored(query, key, block):
        length, root = query.shape[1], query.shape[-1] ** 0.5
        spun, keys = turned(query), turned(key)
        weights = query.new_zeros(len(query), 2, length, length)
        for text in range(len(query)):
            marks = []
            for part in key[text].split(size)[: length // size]:
                shares = ((part * block.attn.past.queries).sum(-1) / root).softmax(0)
                marks.append(at((shares[..., None] * part).sum(0), (len(marks) + 1) * size - 1))
            for i in range(length):
                row = torch.stack([*keys[text, : i + 1], *marks[: i // size]])
                scores = (spun[text, i] * row).sum(-1) / root
                groups = [j // size for j in range(i + 1)] + [i // size] * (i // size)
                groups = torch.tensor(groups)
                grouped = scores.exp() / torch.stack(
                    [scores[groups == group].exp().sum(0) for group in groups]
                )
                for j in range(i + 1):
                    gate = 1.0 if j // size == i // size else grouped[i + 1 + j // size]
                    weights[text, :, i, j] = grouped[j] * gate
        return weights

    return scored


def with_summaries(size):
    """Return the mixture of direct and local expectations, one query after the other."""

    def scored(query, key, block):
        del block
        length, root = query.shape[1], query.shape[-1] ** 0.5
        spun, keys = turned(query), turned(key)
        weights = query.new_zeros(len(query), 2, length, length)
        for text in range(len(query)):
            for i in range(length):
                start = i // size * size
                direct = ((spun[text, i] * keys[text, start : i + 1]).sum(-1) / root).exp()
                total, past = direct.sum(0), {}
                for first in range(0, start, size):
                    whole = slice(first, first + size)
                    pooled = at(key[text, whole].max(0).values, first + size - 1)
                    past[first] = ((spun[text, i] * pooled).sum(-1) / root).exp()
                    total = total + past[first]
                weights[text, :, i, start : i + 1] = (direct / total).T
                for first, mass in past.items():
                    whole = slice(first, first + size)
                    asking = at(query[text, whole].max(0).values, first + size - 1)
                    shares = ((asking * keys[text, whole]).sum(-1) / root).softmax(0)
                    weights[text, :, i, whole] = (mass / total * shares).T
        return weights

    return scored


SECOND = {"landmark": with_landmarks, "combiner": with_summaries}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [0, 5, 1, 20])
def test_a_rule_of_blocks_is_its_formula_with_every_gradient(kind, block):
    """Of 13 tokens: blocks of four, of five with a rest, of one, and none that is whole."""
    model = sharp(SIZE.config(rule={"kind": kind, "block": block}, feedforward="none"))
    if block == 20:
        plain = sharp(SIZE.config(feedforward="none"))
        plain.load_state_dict(model.state_dict(), strict=False)
        torch.testing.assert_close(model(TOKENS), plain(TOKENS), rtol=0, atol=1e-12)
        return
    scored = SECOND[kind](block or 4)
    expected = second_writing(model, TOKENS, scored=scored, weighed=lambda weights, seen: weights)
    assert_one_formula(model, model(TOKENS), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_a_text_begin_with_it(kind):
    """Whatever stands before it, and wherever in the sequence it stands; gradients too."""
    model = sharp(SIZE.config(rule={"kind": kind, "block": 3}, feedforward="none", kv_heads=1))
    tokens = random_tokens(2, 23)
    weights = list(model.parameters())
    alone = [model(tokens[:1, 7:20])[0], model(tokens[1:, 2:15])[0]]
    segments = torch.tensor([[0] * 7 + [2] * 13 + [3] * 3, [1] * 2 + [2] * 13 + [3] * 8])
    packed = model(tokens, segments=segments)
    found = [packed[0, 7:20], packed[1, 2:15]]
    for one, two in zip(found, alone, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)
    sums = (sum(each.square().sum() for each in both) for both in (found, alone))
    for one, two in zip(*(torch.autograd.grad(each, weights) for each in sums), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_leave_a_past_block_the_weight_of_one_key(kind):
    """A query with n keys of its own block and B blocks behind it gives each of them 1 / (n + B).

    So the first key gets less, and effective keys are more, than by weights that compete alone.
    """
    model = tiny(kind, context=32)
    with torch.no_grad():
        for name, each in model.named_parameters():
            if ".query." in name or ".key." in name:
                each.zero_()
    place = np.arange(29)
    own, past = place % 4 + 1, place // 4
    each = 1 / (own + past)
    for layer in record(model, tokens_of([29])).layers:
        first = np.broadcast_to(
            np.where(past > 0, each / 4, each), layer.summary.first_mass[0].shape
        )
        np.testing.assert_allclose(layer.summary.first_mass[0], first, rtol=1e-5)
        entropy = -(own * each * np.log(each) + past * each * np.log(each / 4))
        np.testing.assert_allclose(
            layer.summary.entropy[0], np.broadcast_to(entropy, first.shape), rtol=1e-4, atol=1e-6
        )


def test_a_block_is_shared_out_alike_for_all_later_queries():
    """By the combiner alone: what the landmark leaves to a block depends on the query."""
    spread = {}
    for kind in KINDS:
        model = sharp(SIZE.config(rule={"kind": kind, "block": 4}))
        _, cache = model.run_with_cache(TOKENS)
        held = cache["pattern", 1][:, :, 4:, :4]
        shares = held / held.sum(-1, keepdim=True)
        spread[kind] = float((shares - shares[:, :, :1]).abs().max())
    assert spread["combiner"] < 1e-12 < 0.01 < spread["landmark"]


def test_sums_of_blocks_are_their_formula_with_every_gradient(monkeypatch):
    monkeypatch.setattr("dva_lens.kernels.block_sums.ENTRIES", 60)
    monkeypatch.setattr("dva_lens.kernels.block_sums.FEWEST_ROWS", 1)
    draw = torch.Generator().manual_seed(0)
    query, held = (
        torch.randn(*shape, generator=draw, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 2, 11, 3), (2, 2, 3, 3, 3))
    )
    given = torch.randn(2, 2, 11, 3, generator=draw, dtype=torch.float64)
    found = block_sums(query, held, 0.7, [3, 6, 9])
    scores = 0.7 * torch.einsum("bhnd,bhkpd->bhnkp", query, held)
    asked = torch.arange(11)[:, None] >= torch.tensor([3, 6, 9])
    expected = scores.exp().sum(-1).log().masked_fill(~asked, 0.0)
    torch.testing.assert_close(found, expected)
    ours, theirs = (
        torch.autograd.grad((each * given).sum(), (query, held)) for each in (found, expected)
    )
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)


def test_sums_of_blocks_are_formed_in_full_precision_whatever_autocast_says():
    draw = torch.Generator().manual_seed(0)
    found = []
    query, held = (
        torch.randn(*shape, generator=draw) for shape in ((1, 1, 9, 4), (1, 1, 2, 4, 4))
    )
    for on in (False, True):
        given = [each.clone().requires_grad_() for each in (query, held)]
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            sums = block_sums(*given, 0.7, [4, 8])
            sums.sum().backward()
        found.append([sums, *(each.grad for each in given)])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_groups_of_heads_have_the_blocks_of_their_keys(kind):
    size = Size(layers=1, width=32, heads=4, vocabulary=41, context=32)
    model = sharp(size.config(rule=kind, kv_heads=2))
    wide = sharp(size.config(rule=kind))
    held = dict(model.state_dict())
    for name in held:
        if name.endswith(("attn.key.weight", "attn.value.weight")):
            held[name] = held[name].unflatten(0, (2, -1))[[0, 0, 1, 1]].flatten(0, 1)
        if name.endswith("past.queries"):
            held[name] = held[name][[0, 0, 1, 1]]
    wide.load_state_dict(held)
    torch.testing.assert_close(model(TOKENS), wide(TOKENS), rtol=0, atol=1e-12)


def test_the_fused_backend_refuses_blocks_by_name():
    blocks = TextBlocks(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 1, 3, 1))
    with pytest.raises(TypeError, match="'fused' knows no terms of blocks of a text; choose"):
        check_rule(Rule(1.0, text_blocks=blocks))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("query", "key"), [(11, 9), (11, 2)], ids=["own block", "past block"])
def test_steps_of_a_pair_lead_to_its_weight(kind, query, key):
    model = tiny(kind, context=32).double()
    tokens = tokens_of([13])[0]
    found = lens.pair(model, tokens, layer=1, head=2, query=query, key=key)
    _, cache = model.run_with_cache(torch.as_tensor(tokens)[None])
    logit = cache["attn_scores", 1][0, 2, query, key].item()
    assert found.logit == pytest.approx(logit, rel=1e-5)
    assert found.logit == pytest.approx(found.scale * found.dot + found.bias)
    assert found.weight == pytest.approx(cache["pattern", 1][0, 2, query, key].item(), rel=1e-5)
    past = key == 2
    assert (found.bias != 0) == past
    assert (found.scale == 0) == (past and kind == "combiner")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"visibility": "window"}, r"see all keys, got rule landmark with visibility window"),
        ({"scores": "disentangled"}, r"landmark with scores disentangled.* terms by distance"),
        ({"rule": {"kind": "landmark", "block": -1}}, r"block must be at least 0"),
    ],
)
def test_blocks_need_all_keys_and_scores_of_products(chosen, said):
    with pytest.raises(ValueError, match=said):
        SIZE.config(**{"rule": "landmark", **chosen})
