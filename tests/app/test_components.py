"""Numbers line up and keep their sign."""

import pytest
from dva_lens.app.components.text import interval, number, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.2, "2.20"),
        (0.05, "0.050"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (0.0001, "1.00e-04"),
        (-0.5, "−0.500"),
        (float("nan"), "–"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_intervals_and_differences():
    assert interval(0.1, 0.2) == "0.100 – 0.200"
    assert interval(-0.1, 0.2) == "−0.100 to 0.200"
    assert signed(0.5) == "+0.500"
    assert signed(-0.5) == "−0.500"
    assert signed(0.0) == "0"
