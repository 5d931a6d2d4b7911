"""What the checks of a GPU call equal, tried where there is none."""

import numpy as np
import pytest
import xarray as xr
from dva_lens.analyses.benchmarks.gpu_measure import ABSOLUTE, preset, share


@pytest.mark.parametrize("name", ["transformer", "dva"])
def test_single_precision_holds_to_what_is_allowed(name):
    found = preset(name, device="cpu")
    assert found["holds"], found
    assert found["statistics"] > 30
    assert max(found["worst"].values()) > 0


def test_an_error_is_a_share_of_what_is_allowed():
    want = xr.DataArray([0.0, np.nan, np.inf])
    assert share(want, want) == 0
    np.testing.assert_allclose(share(want + xr.DataArray([3 * ABSOLUTE, 0, 0]), want), 3)
    assert share(xr.DataArray([0.0, 1.0, np.inf]), want) == np.inf
    words = xr.DataArray(["a", "b"])
    assert share(words, words) == 0
    assert share(words, words[::-1]) == np.inf
