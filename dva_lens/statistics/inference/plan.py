"""Claims written down before looking, and what the data say to them.

A plan is a mapping (a YAML or JSON file, read elsewhere) with a list of `claims`. Each names a
statistic, an arm, a direction and the estimand it speaks of; equality needs a margin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, cast, final

import numpy as np
from scipy import stats

from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import CONTRASTS
from dva_lens.statistics.inference.equivalence import (
    detectable,
    equivalence,
    equivalence_power,
)
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.statistics.inference.multiplicity import holm

DIRECTIONS = ("higher", "lower", "equal")
TESTS = ("retrained", "text")


@final
@dataclass(frozen=True)
class Claim:
    """One expectation: in which statistic an arm differs from the baseline, and by how much.

    `higher` and `lower` mean by more than `margin` (zero unless told); `equal` means by less than
    `margin`. `test` says whether the claim is about the architecture or these checkpoints.
    """

    statistic: str
    arm: str
    direction: str
    contrast: str = "middle half"
    margin: float | int = 0.0
    test: str = "retrained"

    def __post_init__(self) -> None:
        _among("direction", self.direction, DIRECTIONS)
        _among("contrast", self.contrast, tuple(CONTRASTS))
        _among("test", self.test, TESTS)
        if not self.margin >= 0:
            raise ValueError(f"margin must not be negative, got {self.margin}.")
        if self.direction == "equal" and self.margin == 0:
            raise ValueError(
                f"The claim that {self.arm!r} is equal in {self.statistic!r} needs a margin above "
                "0: equality is only ever shown within a margin."
            )


@final
@dataclass(frozen=True)
class Verdict:
    """What the data say to a claim, with the estimate it stands on and its adjusted p value.

    `detectable` is the smallest true difference, beyond the margin, that this design would have
    found four times out of five; for equality, the chance of showing it where it holds exactly is
    `power`. Both are NaN where they do not apply.
    """

    claim: Claim
    answer: Literal["supported", "refuted", "undecided"]
    reason: str
    estimate: Estimate | None
    adjusted: float
    detectable: float = float("nan")
    power: float = float("nan")


def claims_from(plan: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Read the claims of a plan, refusing keys and words it does not know."""
    entries = plan.get("claims")
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise ValueError("A plan must hold a list `claims` with at least one entry.")
    known = tuple(field.name for field in fields(Claim))
    claims = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise TypeError(f"Claim {number} must be a mapping, got {type(entry).__name__}.")
        for key in entry:
            _among(f"key of claim {number}", str(key), known)
        missing = [name for name in ("statistic", "arm", "direction") if name not in entry]
        if missing:
            raise ValueError(f"Claim {number} must name {', '.join(missing)}.")
        claims.append(Claim(**cast("dict[str, Any]", dict(entry))))
    return tuple(claims)


def judge(claims: Sequence[Claim], comparisons: Sequence[Comparison]) -> tuple[Verdict, ...]:
    """Hold claims against comparisons: supported, refuted or undecided, Holm over all claims."""
    estimates = [_estimate_of(claim, comparisons) for claim in claims]
    pairs = list(zip(claims, estimates, strict=True))
    pro = holm(np.array([_p(claim, estimate) for claim, estimate in pairs]))
    contra = holm(np.array([_p(claim, estimate, against=True) for claim, estimate in pairs]))
    return tuple(
        _verdict(claim, estimate, float(pro[at]), float(contra[at]))
        for at, (claim, estimate) in enumerate(pairs)
    )


def _estimate_of(claim: Claim, comparisons: Sequence[Comparison]) -> Estimate | None:
    for entry in comparisons:
        if (entry.statistic, entry.arm, entry.contrast) == (
            claim.statistic,
            claim.arm,
            claim.contrast,
        ):
            return entry.retrained if claim.test == "retrained" else entry.text
    return None


def _p(claim: Claim, estimate: Estimate | None, *, against: bool = False) -> float:
    """Return the one-sided p value for a claim, or for its opposite."""
    if estimate is None or not estimate.supports_claims:
        return float("nan")
    mean, error, freedom = float(estimate.mean), float(estimate.error), float(estimate.freedom)
    if claim.direction == "equal":
        if against:
            return min(1.0, 2 * _beyond(claim.margin - abs(mean), error, freedom))
        return float(equivalence(estimate.mean, estimate.error, freedom, claim.margin))
    sign = 1.0 if claim.direction == "higher" else -1.0
    past = claim.margin - sign * mean
    return _beyond(-past if against else past, error, freedom)


def _beyond(shortfall: float, error: float, freedom: float) -> float:
    """Return the p value of the mean not going past a mark it misses by `shortfall`."""
    if error == 0:
        return 0.0 if shortfall < 0 else 1.0
    return float(stats.t.sf(-shortfall / error, freedom))


def _verdict(claim: Claim, estimate: Estimate | None, pro: float, contra: float) -> Verdict:
    if estimate is None:
        reason = f"{claim.statistic!r} was not compared for {claim.arm!r} ({claim.contrast})"
        return Verdict(claim, "undecided", reason, None, float("nan"))
    if not np.isfinite(pro):
        reason = estimate.note or "the statistic does not apply"
        return Verdict(claim, "undecided", reason, estimate, float("nan"))
    alpha = 1 - estimate.level
    able = _sensitivity(claim, estimate, alpha)
    if pro <= alpha:
        return Verdict(claim, "supported", "", estimate, pro, *able)
    if contra <= alpha:
        return Verdict(claim, "refuted", "the opposite holds", estimate, contra, *able)
    return Verdict(claim, "undecided", "the data allow both", estimate, pro, *able)


def _sensitivity(claim: Claim, estimate: Estimate, alpha: float) -> tuple[float, float]:
    error, freedom = float(estimate.error), float(estimate.freedom)
    if claim.direction != "equal":
        return detectable(error, freedom, alpha=2 * alpha), float("nan")
    return float("nan"), equivalence_power(error, freedom, claim.margin, alpha=alpha)


def _among(what: str, given: str, allowed: Sequence[str]) -> None:
    if given in allowed:
        return
    close = get_close_matches(given, allowed, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(f"{what} must be one of {', '.join(allowed)}, got {given!r}{hint}.")
