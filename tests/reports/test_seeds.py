"""Numbers over seeds in words: an interval where seeds allow one, and what else there is."""

import numpy as np
import pytest

from dva_lens.reports.seeds import seeds_in_words, seeds_minus


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "–"),
        ([np.nan], "–"),
        ([0.5], "0.500 (single run)"),
        ([0.5, np.nan, 0.7], "0.600 (2 runs)"),
    ],
)
def test_few_trainings_have_no_interval(values, words):
    assert seeds_in_words(values) == words


def test_an_interval_is_that_of_student_and_ends_where_the_number_can():
    shares = (0.8, 0.9, 1.0)
    half = 4.302653 * 0.1 / np.sqrt(3)
    assert seeds_in_words(shares) == f"0.90 [{0.9 - half:.2f}, {0.9 + half:.2f}]"
    assert seeds_in_words(shares, within=(0.0, 1.0)).endswith(", 1.00]")
    assert seeds_in_words(np.log([2.0, 2.0, 2.0]), back=np.exp) == "2.00 [2.00, 2.00]"


def test_models_are_compared_where_both_have_seeds_enough():
    rng = np.random.default_rng(0)
    models = {"base": rng.normal(0, 0.1, 5), "far": rng.normal(3, 0.1, 5), "few": [3.0, 3.0]}
    found = seeds_minus(models, "base")
    assert list(found) == ["far"]
    assert found["far"].startswith(("2.", "3."))
    assert found["far"].endswith("p < 0.001")
    assert seeds_minus(models, "few") == {}
