"""What a measurement keeps of single keys, against the values that the model itself makes."""

import numpy as np
import pytest
import torch
from own_models import tiny

import dva_lens as lens
from dva_lens.measuring import measure
from dva_lens.measuring.closeup import heads_at_hand
from dva_lens.results.archive import open_archive
from dva_lens.results.key_values import STATIC, has_key_values
from dva_lens.results.schema import ArchiveError

IDS = [np.random.default_rng(3).integers(3, 61, length) for length in (15, 11)]
LAYER = 1


@pytest.fixture(scope="module")
def model():
    return tiny("dva").double()


@pytest.fixture(scope="module")
def data(model):
    return measure(model, IDS, keep="query", statistics=("entropy", "first_key_mass"), batch=2)


@pytest.mark.parametrize("sequence", range(2))
def test_values_are_those_that_the_model_makes(model, data, sequence):
    ids = IDS[sequence]
    found = lens.key_values(data, LAYER, 0, sequence=sequence)
    assert found.sizes["query"] == found.sizes["position"] == len(ids)
    values = heads_at_hand(model, ids, layer=LAYER).values
    place = torch.arange(len(ids))
    pairs = values.pairs(place, place, 1)[0, 0].detach().numpy()
    for kept in range(2):
        key = int(found["key"][kept])
        norm = np.linalg.norm(pairs[key:, key], axis=-1)
        np.testing.assert_allclose(found["norm"].values[kept, key:], norm, rtol=1e-6)
        assert np.isnan(found["norm"].values[kept, :key]).all()
        edges = lens.edges(data, LAYER, 0, sequence=sequence)
        for query in range(key, len(ids)):
            listed = edges["key"].values[query] == key
            want = edges["weight"].values[query][listed]
            given = found["weight"].values[kept, query]
            np.testing.assert_allclose(given, want if listed.any() else given, rtol=1e-6)


def test_an_archive_gives_them_back(data, tmp_path):
    from fakes import run_attrs

    from dva_lens.results.writer import write_run

    attrs = run_attrs("dva", 0, order=0, heads=1)
    write_run(tmp_path, "key", attrs=attrs, measurements={"held-out": data.assign_attrs(attrs)})
    archive = open_archive(tmp_path)
    held = archive.dataset(archive.runs[0], "held-out")
    for layer in range(data.sizes["layer"]):
        want, found = (lens.key_values(each, layer, 0) for each in (data, held))
        for name in ("key", "weight", "norm", "first", "second", "explained"):
            np.testing.assert_array_equal(found[name].values, want[name].values)
    assert not has_key_values(archive.on("held-out").parts[0].data.drop_vars("key_value_key"))


def test_models_of_static_values_keep_none(data):
    static = measure(tiny("transformer"), IDS, keep="query", statistics="entropy")
    assert not has_key_values(static)
    with pytest.raises(ArchiveError, match="keeps no values of single keys"):
        lens.key_values(static, 0, 0)
    with pytest.raises(ValueError, match="head must be one of 0 to 0, got 3"):
        lens.key_values(data, 0, 3)
    assert "same for all queries" in STATIC
