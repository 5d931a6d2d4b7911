"""Statistics of cross-attention, whose keys are of another text than its queries."""

import families
import numpy as np
import pytest
import torch
import two_towers

import dva_lens as lens
from dva_lens.recording.adapters import SourceBatch, adapter_of
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.sites import SITES
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.statistic import SharedRecord
from dva_lens.statistics.table import STATISTICS

SOURCE = np.array([[5, 7, 11, 3, 22, 17, 40, 41, 2], [9, 8, 13, 30, 12, 2, 0, 0, 0]])
LABELS = np.array([[6, 21, 33, 50, 17, 19, 2], [14, 15, 2, 0, 0, 0, 0]])
LENGTHS, ENDS = np.array([9, 6]), np.array([7, 3])
SOURCES = [row[:n] for row, n in zip(SOURCE, LENGTHS, strict=True)]
TARGETS = [row[:n] for row, n in zip(LABELS, ENDS, strict=True)]


def recorded(model):
    """Return the record of both pairs, with everything that statistics need."""
    adapter = adapter_of(model, "cross")
    reader = StatisticReader.of(STATISTICS.values())
    options = RecordOptions(tuple(SITES.values()), "auto", True, reader)
    inputs = np.zeros_like(LABELS)
    for row, labels in enumerate(TARGETS):
        inputs[row, : len(labels)] = adapter.decoder_inputs(labels)
    last = np.array([row[-1] for row in TARGETS])
    source = SourceBatch(SOURCE, LENGTHS, last)
    return record_pass(adapter.reading(source), inputs, ENDS, options)


@torch.no_grad()
def truth(pattern, values, into, stream):
    """Return statistics of one pair from its pattern (head, query, key) alone."""
    p, keys = pattern, pattern.shape[-1]
    entropy = torch.special.entr(p).sum(-1)
    rest = p[..., 1:] / p[..., 1:].sum(-1, keepdim=True)
    received = p.sum(1)
    written = values @ into
    out = (p @ values) @ into
    along = (p[..., :1] * written[:, None, 0] * out).sum(-1) / out.square().sum(-1)
    sizes = written.norm(dim=-1)
    weighted = p * sizes[:, None]
    share = weighted / weighted.sum(-1, keepdim=True)
    ordered, ranks = p.sort(-1).values, torch.arange(1, keys + 1, dtype=p.dtype)
    centred = values - values.mean(1, keepdim=True)
    kept = (p @ centred).square().sum(-1) / (p * centred.square().sum(-1)[:, None]).sum(-1)
    root = keys**0.5

    def spread(mass):
        return torch.special.entr(mass / mass.sum(-1, keepdim=True)).sum(-1)

    return {
        "entropy": entropy,
        "normalised_entropy": entropy / np.log(keys),
        "effective_keys": entropy.exp(),
        "largest_weight": p.amax(-1),
        "first_key_mass": p[..., 0],
        "sink_importance": p[..., 0].mean(-1),
        "sink_free_entropy": torch.special.entr(rest).sum(-1),
        "importance_entropy": spread(received.mean(0)),
        "head_importance_excess": spread(received) - np.log(keys),
        "value_drain": values[:, 0].norm(dim=-1) / _median(values.norm(dim=-1)),
        "written_value_drain": sizes[:, 0] / _median(sizes),
        "sink_output_share": along,
        "dynamism": torch.zeros(len(p)),
        "massive_activation": stream.abs().max() / _median(stream.abs().flatten()),
        "renyi_entropy": -p.square().sum(-1).log(),
        "hoyer": (root - 1 / p.square().sum(-1).sqrt()) / (root - 1),
        "gini": (2 * (ordered * ranks).sum(-1) - keys - 1) / (keys - 1),
        "top_mass": ordered[..., -5:].sum(-1),
        "virtual_mass": torch.zeros_like(entropy),
        "norm_entropy": torch.special.entr(share).sum(-1),
        "first_norm_share": share[..., 0],
        "surviving_size": kept,
        "uniform_similarity": p.sum((1, 2)) / keys
        / (p.square().sum((1, 2)).sqrt() * (p.shape[1] / keys) ** 0.5),
    }  # fmt: skip


def _median(sizes):
    return torch.as_tensor(np.median(sizes.numpy(), axis=-1))


def operands(model, layer, states, heads=4):
    """Return the values of cross-attention in a layer of a T5 and its output projection."""
    attention = model.decoder.block[layer].layer[1].EncDecAttention
    value = attention.v(states).unflatten(-1, (heads, -1)).transpose(-2, -3)
    return value, attention.o.weight.T.unflatten(0, (heads, -1))


def test_every_statistic_of_cross_attention_follows_from_its_pattern():
    """Where the first key takes nearly all, what is left of a row has few digits: milder here."""
    with families.exact():
        found = recorded(two_towers.built("t5", sharp=1.5))
    eager = two_towers.built("t5", "eager", sharp=1.5)
    shared = SharedRecord.of(found)
    for row, (source, labels) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        output = two_towers.eager(
            eager, input_ids=torch.tensor(source)[None], labels=torch.tensor(labels)[None]
        )
        for layer, record in enumerate(found.layers):
            with torch.no_grad():
                values = operands(eager, layer, output.encoder_last_hidden_state[0])
            states = output.decoder_hidden_states[layer + 1][0]
            expected = truth(output.cross_attentions[layer][0], *values, states)
            if layer == len(found.layers) - 1:
                del expected["massive_activation"]  # its last state is after the final norm
            for name, wanted in expected.items():
                ours = STATISTICS[name].compute(record, shared)[row]
                if ours.ndim == 2:
                    ours = ours[:, : len(labels)]
                np.testing.assert_allclose(
                    ours, wanted.numpy(), rtol=1e-9, atol=1e-9, err_msg=f"{name} {layer} {row}"
                )


@pytest.mark.parametrize(("name", "keys", "queries"), [("t5", 17, 30), ("bart", 25, 14)])
def test_the_most_attended_key_is_one_of_the_source(name, keys, queries):
    """The second source has fewer keys than any query must see to say what a sink is."""
    draw = np.random.default_rng(0)
    sources = [draw.integers(3, 60, length).tolist() for length in (keys, 12)]
    targets = [draw.integers(3, 60, length).tolist() for length in (queries, 8)]
    model = two_towers.built(name, sharp=3.0)
    data = lens.measure(model, sources, target=targets, part="cross", statistics=["top_key_mass"])
    inputs = {"input_ids": torch.tensor(sources[:1]), "labels": torch.tensor(targets[:1])}
    output = two_towers.eager(two_towers.built(name, "eager", sharp=3.0), **inputs)
    for layer, pattern in enumerate(output.cross_attentions):
        mass, place = pattern[0].mean(1).max(-1)
        mine = data.isel(sequence=0, layer=layer)
        np.testing.assert_allclose(mine["top_key_mass"], mass.numpy(), rtol=1e-6)
        heads = slice(len(mass))
        assert mine["top_key_position"].values[heads].tolist() == place.tolist()
        found = [sources[0][each] for each in place]
        assert mine["top_key_token"].values[heads].tolist() == found
        assert (mine["top_key_queries"].values[heads] == queries).all()
        np.testing.assert_allclose(mine["top_key_even"].values[heads], 1 / keys, rtol=1e-6)
    assert np.isnan(data["top_key_mass"].isel(sequence=1)).all()
