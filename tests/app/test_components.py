"""Numbers keep digits that count and their sign; tokens hide nothing."""

import pytest
from dva_lens.app.components.numbers import interval, number, ranked, signed

from dva_lens.views.characters import visible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2.2, "2.20"),
        (0.05, "0.0500"),
        (0.00123, "0.00123"),
        (99.96, "100"),
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


def test_ranked_numbers_are_told_apart():
    assert ranked([6.6219, 6.6212, 6.6212, 1.0]) == ["6.622", "6.621", "6.621", "1.000"]
    assert ranked([3.0, 2.0]) == ["3.00", "2.00"]
    assert ranked([]) == []


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (" word", " word"),
        ("a\nb", "a⏎\nb"),
        ("\u202eabc", "⟨U+202E⟩abc"),
        ("\u200b", "⟨U+200B⟩"),
        ("\x00", "⟨U+0000⟩"),
        ("\ufffd", "⟨byte⟩"),
        ("ä", "ä"),
        ("<script>", "<script>"),
    ],
)
def test_nothing_in_a_token_hides_or_turns(token, text):
    assert visible(token) == text
