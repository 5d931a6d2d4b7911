"""The budget of memory."""

import pytest

from dva_lens.kernels.guard import readable, refuse_above


def test_what_fits_passes():
    refuse_above(1 << 30, "A pattern", alternative="use blocks")


def test_a_refusal_says_bytes_and_alternative():
    with pytest.raises(MemoryError) as refusal:
        refuse_above((1 << 30) + (1 << 29), "A pattern", alternative="use blocks")
    assert str(refusal.value) == (
        "A pattern would take 1.5 GiB, more than the budget of 1 GiB; use blocks."
    )


def test_a_budget_may_be_given():
    with pytest.raises(MemoryError, match="2 KiB, more than the budget of 1 KiB"):
        refuse_above(2048, "It", alternative="stop", budget=1024)


@pytest.mark.parametrize(
    ("amount", "words"), [(12, "12 bytes"), (1536, "1.5 KiB"), (5 << 40, "5,120 GiB")]
)
def test_readable(amount, words):
    assert readable(amount) == words
