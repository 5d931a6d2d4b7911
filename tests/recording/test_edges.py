"""The largest edges of queries and what is left, against patterns formed in full in float64."""

import numpy as np
import pytest
import torch
from attentions import FORMS, RULES, Draws, attention
from rounding import sums, within

from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.recording import edges, tiles
from dva_lens.recording.edge_plan import EdgePlan, edge_bytes
from dva_lens.recording.edges import Kept, edges_of_rows
from dva_lens.recording.layout import Layout
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.recording.tiles import alone, row_tiles
from dva_lens.sites import EDGES, SUMMARY

LENGTH, SHORT, COUNT = 21, 13, 5
PLENTY = 1 << 24
PLACE = torch.arange(LENGTH)
LAYOUTS = {"grouped": (2, 4, 2), "one head": (2, 1, 1)}


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch):
    monkeypatch.setattr(edges, "ROWS", 8)
    monkeypatch.setattr(tiles, "FEWEST_ROWS", 1)
    monkeypatch.setattr(tiles, "ENTRIES", 4 * LENGTH * 6)


def recorded(call, gram, plan, lengths=(LENGTH, SHORT)):
    recorder = Recorder((SUMMARY, EDGES), "reference", torch.device("cpu"))
    recorder.layout = Layout.plain(torch.tensor(lengths), LENGTH)
    recorder.plan = plan
    recorder.attention(0, AttentionCall(*call), gram=gram)
    return recorder.take(1)[0]


def gram_for(call):
    heads, width = call[0].shape[1], reference_values(call).shape[-1]
    output = torch.randn(heads, width, 9, generator=torch.Generator().manual_seed(3)).double()
    return output @ output.mT


def reference_values(call):
    return call[2].pairs(PLACE, PLACE, call[0].shape[1])


def in_full(call, gram, sequence, length):
    """Return the pattern of one sequence and the signed share of every pair, in float64."""
    query, key, _, rule = call
    pattern = reference.pattern(query, key, rule)[sequence, :, :length, :length]
    written = reference_values(call)[sequence][:, :length, :length]
    mixed = torch.einsum("hqk,hqkd->hqd", pattern, written)
    along = torch.einsum("hqk,hqkd,hde,hqe->hqk", pattern, written, gram, mixed)
    power = torch.einsum("hqd,hde,hqe->hq", mixed, gram, mixed)
    return pattern.numpy(), (along / power[..., None]).numpy()


def check(found, sequence, pattern, share, queries):
    """Compare what one sequence kept with its pattern, entry by entry and in total."""
    rows = pattern[:, :queries]
    count = min(COUNT, rows.shape[-1])
    key, weight = (getattr(found, name)[sequence][:, :queries] for name in ("key", "weight"))
    size = np.abs(rows).sum(-1).max() if (rows < 0).any() else 1.0
    limit = sums(LENGTH, size, torch.float64)
    due = np.maximum(-np.sort(-rows, axis=-1)[..., :count], 0.0)
    within(weight[..., :count], due, limit)
    listed = key >= 0
    assert (listed == (weight > 0)).all()
    at = np.where(listed, key, 0)
    within(weight, np.where(listed, np.take_along_axis(rows, at, -1), 0.0), limit)
    due = np.where(listed, np.take_along_axis(share[:, :queries], at, -1), np.nan)
    within(found.share[sequence][:, :queries], due, 1e3 * limit * (1 + np.abs(np.nan_to_num(due))))
    assert (np.diff(listed.astype(int), axis=-1) <= 0).all()  # what lists nothing comes last
    rest = found.rest[sequence][:, :queries]
    within(weight.sum(-1) + rest, rows.sum(-1), limit)
    by_key = np.zeros((len(rows), rows.shape[-1]))
    for head, query, rank in np.argwhere(listed):
        by_key[head, key[head, query, rank]] += weight[head, query, rank]
    assert (found.visible[sequence][:queries] >= (rows > 0).sum(-1).max(0)).all()
    kept = found.rest_by_key[sequence][:, : rows.shape[-1]]
    within(by_key + kept, rows.sum(1), LENGTH * limit)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", FORMS)
def test_edges_of_every_form_are_those_of_the_pattern(form, layout):
    call = attention(Draws(LAYOUTS[layout], LENGTH), form, "causal")
    gram = gram_for(call)
    plan = EdgePlan(PLENTY, 1, (LENGTH, SHORT), count=COUNT)
    found = recorded(call, gram, plan).edges
    for sequence, length in enumerate((LENGTH, SHORT)):
        check(found, sequence, *in_full(call, gram, sequence, length), length)
    assert np.isnan(found.rest[1, :, SHORT:]).all()
    assert (found.key[1, :, SHORT:] == -1).all()


@pytest.mark.parametrize("rule", RULES)
def test_edges_of_every_rule_are_those_of_the_pattern(rule):
    call = attention(Draws((2, 4, 2), LENGTH), "static", rule)
    gram = gram_for(call)
    plan = EdgePlan(PLENTY, 1, (LENGTH, LENGTH), count=COUNT)
    found = recorded(call, gram, plan, (LENGTH, LENGTH)).edges
    for sequence in range(2):
        check(found, sequence, *in_full(call, gram, sequence, LENGTH), LENGTH)


@pytest.mark.parametrize("form", ["static", "pairwise"])
def test_rows_in_full_give_the_same_edges(form):
    call = attention(Draws((2, 4, 2), LENGTH), form, "window")
    gram = gram_for(call)
    rows = row_tiles(
        call[0][1:],
        call[1][1:],
        alone(call[2], 1),
        alone(call[3], 1),
        gram=gram,
        tokens=np.zeros(LENGTH, dtype=np.int64),
    )
    found = edges_of_rows(rows, Kept(LENGTH, 15, COUNT))
    check(found, 0, *in_full(call, gram, 1, LENGTH), 15)
    other = recorded(call, gram, EdgePlan(PLENTY, 1, (LENGTH,) * 2, count=COUNT), (LENGTH,) * 2)
    np.testing.assert_array_equal(found.key[0], other.edges.key[1, :, :15])


def test_visible_keys_are_counted():
    call = attention(Draws((2, 4, 2), LENGTH), "static", "window")
    found = recorded(call, None, EdgePlan(PLENTY, 1, (LENGTH, SHORT))).edges
    assert found.visible[0].tolist() == [min(place + 1, 5) for place in range(LENGTH)]
    assert (found.visible[1, SHORT:] == -1).all()


def test_without_an_output_projection_there_are_weights_and_no_shares():
    call = attention(Draws((2, 4, 2), LENGTH), "static", "causal")
    found = recorded(call, None, EdgePlan(PLENTY, 1, (LENGTH,))).edges
    assert np.isnan(found.share).all()
    assert found.weight[0, 0, 0, 0] == 1.0


def test_a_query_that_gives_nothing_lists_nothing():
    hidden = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    hidden[..., 2, :] = -torch.inf
    draw = Draws((1, 1, 1), 4)
    call = (draw.query(), draw.key(), Static(draw.key(8)), Rule(0.4, bias=hidden))
    recorder = Recorder((EDGES,), "reference", torch.device("cpu"))
    recorder.layout, recorder.plan = Layout.plain(torch.tensor([4]), 4), EdgePlan(PLENTY, 1, (4,))
    recorder.attention(0, AttentionCall(*call), gram=torch.eye(8, dtype=torch.float64)[None])
    found = recorder.take(1)[0].edges
    assert (found.key[0, 0, 2] == -1).all()
    assert found.rest[0, 0, 2] == 0.0
    assert (found.key[0, 0, :2, 0] >= 0).all()


def test_a_plan_keeps_whole_sequences_in_order_and_cuts_only_the_first():
    one = edge_bytes(3, 40, 16, 40)
    assert EdgePlan(2 * (2 * one + 5), 2, (40, 40, 40)).queries(3) == (40, 40)
    assert EdgePlan(2 * one, 1, (40, 100, 40)).queries(3) == (40,)
    (cut,) = EdgePlan(one // 2, 1, (40, 40)).queries(3)
    assert edge_bytes(3, cut, 16, 40) <= one // 2 < edge_bytes(3, cut + 1, 16, 40)
    assert EdgePlan(10, 1, (40,)).queries(3) == ()
    assert EdgePlan(PLENTY, 1, (40, 30, 20), first=2).queries(3) == (20,)
