"""Claims written down before looking, and what the data say to them.

A plan is a mapping (a YAML or JSON file, read elsewhere) with a list of `claims`. Each names a
statistic, a model, a direction and the estimand it speaks of; equality needs a margin. The key
`arm` is the former name of `model`, and the contrast `all layers` that of `mean`.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, cast, final

import numpy as np
from scipy import stats

from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import CONTRASTS, FORMER_NAMES
from dva_lens.statistics.inference.equivalence import (
    detectable,
    equivalence,
    equivalence_power,
)
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.statistics.inference.multiplicity import holm

DIRECTIONS = ("higher", "lower", "equal")
TESTS = ("retrained", "text")
_FORMER_MODEL = "arm"


@final
@dataclass(frozen=True)
class Claim:
    """One expectation: in which statistic a model differs from the baseline, and by how much.

    `higher` and `lower` mean by more than `margin` (default: zero); `equal` means by less than
    `margin`. `test` says whether the claim is about the architecture or these checkpoints.
    """

    statistic: str
    model: str
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
                f"The claim that {self.model!r} is equal in {self.statistic!r} needs a margin "
                "above 0: equality is only ever shown within a margin."
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
    """Read the claims of a plan, refusing keys and words it does not know.

    Raises
    ------
    ValueError
        If there is no claim, or one has an unknown key or word or lacks one.
    TypeError
        If a claim is not a mapping.
    """
    entries = plan.get("claims")
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise ValueError("A plan must hold a list `claims` with at least one entry.")
    known = tuple(field.name for field in fields(Claim))
    claims = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise TypeError(f"Claim {number} must be a mapping, got {type(entry).__name__}.")
        named = _with_todays_names(cast("Mapping[str, Any]", entry), number)
        for key in named:
            _among(f"key of claim {number}", key, known)
        missing = [name for name in ("statistic", "model", "direction") if name not in named]
        if missing:
            raise ValueError(f"Claim {number} must name {', '.join(missing)}.")
        claims.append(Claim(**named))
    return tuple(claims)


def former_names(plan: Mapping[str, Any]) -> str:
    """Return one line on the new names of former keys of a plan, nothing where it has none."""
    entries = [entry for entry in plan.get("claims", ()) if isinstance(entry, Mapping)]
    if any(_FORMER_MODEL in entry for entry in entries):
        return f"The key `{_FORMER_MODEL}` of a claim is called `model` now."
    return ""


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


def _with_todays_names(entry: Mapping[str, Any], number: int) -> dict[str, Any]:
    named = {str(key): value for key, value in entry.items()}
    if _FORMER_MODEL in named:
        if "model" in named:
            raise ValueError(f"Claim {number} names its model twice: `arm` is what `model` was.")
        named["model"] = named.pop(_FORMER_MODEL)
    if named.get("contrast") in FORMER_NAMES:
        named["contrast"] = FORMER_NAMES[named["contrast"]]
    return named


def _estimate_of(claim: Claim, comparisons: Sequence[Comparison]) -> Estimate | None:
    for entry in comparisons:
        if (entry.statistic, entry.model, entry.contrast) == (
            claim.statistic,
            claim.model,
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
        reason = f"{claim.statistic!r} was not compared for {claim.model!r} ({claim.contrast})"
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
