import numpy as np
import pytest
import torch
from records import random_causal, record_of

from dva_lens.kernels.values import Pairwise, QueryGated, Static, per_query_head
from dva_lens.recording.norms import (
    _median_of_tensor,
    gram_of,
    stream_norms,
    value_mix,
    value_norms,
    written_norms,
)

LENGTHS = np.array([9, 7])


def _tensor(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)


def test_sizes_of_static_values_equal_the_materialised_ones():
    pieces = random_causal(layers=1)
    expected = record_of(pieces).layers[0]
    value, pattern = _tensor(pieces.values[0]), _tensor(pieces.pattern[0])
    out = pattern @ per_query_head(value, 4)
    sizes = value_norms(Static(value), mean=None, lengths=LENGTHS)
    np.testing.assert_allclose(sizes.norm, expected.values.norm, rtol=1e-10)
    found = written_norms(
        Static(value), out, pattern[..., 0], gram_of(_tensor(pieces.output[0])),
        mean=None, lengths=LENGTHS,
    )  # fmt: skip
    for name in ("norm", "first"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected.written, name), rtol=1e-10, atol=1e-12
        )


def test_sizes_of_pair_values_are_of_the_mean_value_of_each_key():
    generator = torch.Generator().manual_seed(0)
    query_part, key_part = torch.randn(2, 2, 4, 9, 3, generator=generator, dtype=torch.float64)
    values = Pairwise(query_part, key_part)
    pieces = random_causal(layers=1, kv_heads=4)
    pattern, place = _tensor(pieces.pattern[0]), torch.arange(9)
    pairs = values.pairs(place, place, 4)
    pieces = type(pieces)(
        pattern=pieces.pattern,
        values=pairs.numpy()[None],
        output=np.random.default_rng(1).standard_normal((1, 4, 3, 6)),
        lengths=LENGTHS,
        seen=pieces.seen,
    )
    expected = record_of(pieces).layers[0]
    received = pattern.sum(2)[..., None]
    total = torch.einsum("bhqk,bhqkd->bhkd", pattern, pairs)
    mean = torch.where(received > 0, total / received, 0.0)
    sizes = value_norms(values, mean=mean, lengths=LENGTHS)
    np.testing.assert_allclose(sizes.norm, expected.values.norm, atol=1e-10)
    found = written_norms(
        values,
        torch.einsum("bhqk,bhqkd->bhqd", pattern, pairs),
        pattern[..., 0],
        gram_of(_tensor(pieces.output[0])),
        mean=mean,
        lengths=LENGTHS,
    )
    for name in ("norm", "first"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected.written, name), atol=1e-10
        )


def test_values_that_depend_on_the_query_need_their_mean():
    values = QueryGated(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4))
    with pytest.raises(ValueError, match="mean value of each key"):
        value_norms(values, mean=None, lengths=np.array([3]))
    with pytest.raises(ValueError, match="mean value of each key"):
        written_norms(
            values, torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3), torch.ones(2, 4, 4),
            mean=None, lengths=np.array([3]),
        )  # fmt: skip


def test_shares_of_sources_are_signed_and_total_one():
    own, first = torch.randn(2, 2, 3, 9, 4, generator=torch.Generator().manual_seed(0))
    mix = value_mix({"own": own, "first": first}, LENGTHS)
    assert mix.sources == ("own", "first")
    np.testing.assert_allclose(mix.share.sum(1), 1.0)
    total = (own + first).double()[1, :, :7]
    share = (own.double()[1, :, :7] * total).sum(-1) / total.square().sum(-1)
    np.testing.assert_allclose(mix.share[1, 0], share.mean(-1), rtol=1e-6)


def test_stream_norms_leave_padding_out():
    hidden = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0))
    hidden[0, 4, 2], hidden[1, 8] = -50.0, 1e6
    found = stream_norms(hidden, LENGTHS)
    assert found.largest_position[0] == 4
    assert found.largest[0] == 50.0
    entries = hidden[1, :7].abs().numpy()
    assert found.largest[1] == entries.max()
    np.testing.assert_allclose(found.median[1], np.median(entries), rtol=1e-6)
    assert np.isnan(found.norm[1, 7:]).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (300, 96), (301, 97)])
def test_the_median_is_exact_whatever_the_sample_says(shape, monkeypatch):
    hidden = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    hidden *= torch.linspace(0, 1, shape[1]) ** 4
    for sample in (64, 1):
        monkeypatch.setattr("dva_lens.recording.norms.SAMPLE", sample)
        found = stream_norms(hidden, np.array([shape[0]]))
        np.testing.assert_allclose(found.median[0], np.median(hidden.abs()), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (300, 96), (301, 97)])
def test_the_median_is_the_same_where_it_is_taken_on_a_gpu(shape, monkeypatch):
    entries = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).abs()
    for sample in (64, 1):
        monkeypatch.setattr("dva_lens.recording.norms.SAMPLE", sample)
        found = _median_of_tensor(entries.flatten(), shape[1])
        np.testing.assert_allclose(found, np.median(entries), rtol=1e-6)
