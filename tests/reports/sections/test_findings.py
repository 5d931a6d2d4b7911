"""Findings in words say what the numbers allow, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from dva_lens.reports.sections.findings import difference_in_words, for_scale
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.estimate import RETRAINED, Estimate, profile


def estimate(mean: float) -> Estimate:
    spread = np.linspace(-0.001, 0.001, 12)
    return profile(mean + spread, [f"document {at}" for at in range(12)])


def comparison(
    text: float, same: float | None, *, adjusted: float = 0.001, seeds: int = 2
) -> Comparison:
    over_seeds = estimate(text)
    return Comparison(
        "normalised_entropy",
        "dva",
        "transformer",
        "middle half",
        text=estimate(text),
        retrained=replace(over_seeds, estimand=RETRAINED, units_count=seeds, p=np.array(0.5)),
        same=None if same is None else estimate(same),
        text_adjusted=adjusted,
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (comparison(0.05, 0.1), "which is more than any of these differences."),
        (comparison(-0.2, 0.1), "less than the difference of dva."),
        (comparison(0.2, 0.1, adjusted=0.4), "0.100]."),
    ],
)
def test_differences_are_held_against_those_between_seeds(entry, said):
    found = for_scale([entry])
    assert found.startswith(" For scale: two halves of its seeds differ by 0.100 [")
    assert found.endswith(said)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (comparison(-0.2, 0.1), "dva is lower by 0.200 ["),
        (comparison(0.2, 0.1), "dva is higher by 0.200 ["),
        (comparison(-0.05, 0.1), "dva differs from it by −0.0500 ["),
        (comparison(0.2, 0.1, adjusted=0.4), "dva does not differ detectably from it (0.200 ["),
        (comparison(1e-4, None, seeds=4), "dva does not differ detectably from it with other s"),
    ],
)
def test_the_word_is_that_of_the_verdict(entry, said):
    found = difference_in_words(entry)
    assert found.startswith(said)
    assert ("lower" in found or "higher" in found) == (entry.word in ("lower", "higher"))


def test_one_seed_gives_no_scale():
    assert for_scale([comparison(0.2, None)]) == ""
    assert for_scale([]) == ""
