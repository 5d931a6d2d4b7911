import itertools

import numpy as np
import pytest
from families import family

import dva_lens as lens
from dva_lens.measuring.batching import boundaries


def test_no_batch_has_more_positions_than_its_load_and_none_could_take_one_more(seed):
    lengths = np.random.default_rng(seed).integers(2, 200, 300).tolist()
    found = boundaries(lengths, 400)
    assert found[0] == 0
    assert found[-1] == len(lengths)
    for start, stop in itertools.pairwise(found):
        assert max(lengths[start:stop]) * (stop - start) <= 400
        more = lengths[start : stop + 1]
        assert stop == len(lengths) or max(more) * len(more) > 400


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([5] * 8, [0, 4, 8]), ([50, 2, 2], [0, 1, 3]), ([7], [0, 1]), ([], [0])],
)
def test_equal_texts_make_equal_batches_and_a_long_one_runs_alone(lengths, expected):
    assert boundaries(lengths, 20) == expected
    with pytest.raises(ValueError, match="load must be at least 1"):
        boundaries(lengths, 0)


def test_texts_of_different_lengths_measure_as_each_alone():
    ids = [[1, *range(4, 4 + count)] for count in (30, 3, 4, 5, 30, 2)]
    seen = []
    data = lens.measure(
        family("llama"), ids, batch_size=1, statistics="entropy",
        progress=lambda at: seen.append(at.done),
    )  # fmt: skip
    assert seen == [1, 4, 5, 6]
    for number, row in enumerate(ids):
        each = lens.measure(family("llama"), row, statistics="entropy")["entropy"]
        found = data["entropy"].isel(sequence=number, span=slice(each.sizes["span"]))
        np.testing.assert_allclose(found, each.isel(sequence=0), atol=1e-5)
