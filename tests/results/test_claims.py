import numpy as np
import pytest
from fakes import fake_archive
from scipy import stats

from dva_lens.results.archive import open_archive
from dva_lens.results.claims import Asked, held_against
from dva_lens.results.compare import compare
from dva_lens.statistics.inference.plan import Claim

SEEDS = range(3)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    return open_archive(fake_archive(folder, models=("transformer", "dva"), seeds=len(SEEDS)))


def test_a_number_compared_with_zero_is_its_level_over_seeds(archive):
    measured = archive.on()
    (entry,) = compare(measured, "zero").of("dynamism", model="dva", contrast="middle half")
    each = [
        archive.dataset(f"dva-{seed}")["dynamism"].isel(step=-1, layer=[1, 2]) for seed in SEEDS
    ]
    levels = [float(values.mean()) for values in each]
    assert float(entry.text.mean) == pytest.approx(np.mean(levels))
    low, high = stats.t.interval(0.95, 2, np.mean(levels), stats.sem(levels))
    assert float(entry.retrained.low) == pytest.approx(low)
    assert float(entry.retrained.high) == pytest.approx(high)
    assert not entry.muted


def test_each_claim_is_held_against_what_it_names(archive):
    claim = Claim(statistic="dynamism", model="dva", direction="higher")
    cases = {
        (None, "transformer", "last"): {},
        ("shuffled", "transformer", "last"): {"text": "shuffled"},
        (None, "transformer", "loss"): {"at": "loss"},
        (None, "zero", "start"): {"baseline": "zero", "at": "start"},
    }
    claims = [claim.changed(**named) for named in cases.values()]
    found = held_against(archive, claims, Asked(baseline="transformer"))
    for (text, baseline, moment), verdict in zip(cases, found, strict=True):
        (expected,) = compare(archive.on(text), baseline, moment=moment).of(
            "dynamism", model="dva", contrast="middle half"
        )
        assert verdict.estimate == expected.retrained
    assert len({float(verdict.estimate.mean) for verdict in found}) == len(cases)


def test_p_values_are_adjusted_over_all_claims(archive):
    claims = [
        Claim(statistic=name, model="dva", direction="higher", baseline=baseline)
        for name in ("dynamism", "first_key_mass")
        for baseline in ("transformer", "zero")
    ]
    jointly = [verdict.adjusted for verdict in held_against(archive, claims)]
    alone = [held_against(archive, [claim])[0].adjusted for claim in claims]
    order = np.argsort(alone)
    expected = np.minimum(1, np.maximum.accumulate(np.sort(alone) * np.arange(4, 0, -1)))
    np.testing.assert_allclose(np.array(jointly)[order], expected)
