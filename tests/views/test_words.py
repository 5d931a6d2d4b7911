"""Numbers, intervals and p values are written in one way everywhere."""

import pytest

from dva_lens.views.words import p_value, shown


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.0741, 0.07396, 0.07422), "0.0741 [0.0740, 0.0742]"),
        ((0.9996,), "1.00"),
        ((0.5, -1.25, 2.25), "0.50 [−1.25, 2.25]"),
        ((-2e-6, -3e-6, 1e-7), "−2.00e-06 [−3.00e-06, 1.00e-07]"),
        ((float("nan"),), "not applicable"),
        ((3.0, float("nan"), 4.0), "3.00"),
    ],
)
def test_a_number_and_its_interval_have_the_same_decimals(numbers, text):
    assert shown(*numbers) == text


@pytest.mark.parametrize(
    ("p", "text"), [(float("nan"), "–"), (0.0004, "< 0.001"), (0.0214, "0.021"), (1.0, "1.000")]
)
def test_p_values_have_three_decimals(p, text):
    assert p_value(p) == text
