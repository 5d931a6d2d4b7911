"""Claims written down before looking, and what the data say to them.

A plan is a mapping (a YAML or JSON file, read elsewhere) with a list of `claims`. Each names a
statistic, a model, a direction and the estimand it speaks of; equality needs a margin. The key
`arm` is the former name of `model`, and the contrast `all layers` that of `mean`.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, cast, final

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dva_lens.statistics.inference import student
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.depth import CONTRASTS, FORMER_NAMES
from dva_lens.statistics.inference.equivalence import (
    detectable,
    equivalence,
    equivalence_power,
)
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.statistics.inference.multiplicity import holm
from dva_lens.validation import Many, Number, Value, one_of

DIRECTIONS = ("higher", "lower", "equal")
TESTS = ("retrained", "text")
TIMES = ("step", "loss", "start")


def _contrast_of_today(given: object) -> object:
    return FORMER_NAMES.get(given, given) if isinstance(given, str) else given


@final
class Claim(Value, frozen=True):
    """One expectation: in which statistic a model differs from the baseline, and by how much.

    `higher` and `lower` mean by more than `margin` (default: zero); `equal` means by less than
    `margin`. `test` says whether the claim is about the architecture or these checkpoints, `at`
    whether trainings are compared at equal step or equal loss. A claim may name a `baseline` of
    its own, `zero` for a number that is compared with nothing, and an evaluation `text`; what it
    leaves open is for whoever compares to say.

    Raises
    ------
    ValueError
        A key is missing, unknown or of another type, or equality has no margin.
    """

    called: ClassVar[str] = "claim"
    former: ClassVar[Mapping[str, str]] = {"arm": "model"}

    statistic: str
    model: str
    direction: Annotated[str, one_of(lambda: DIRECTIONS)]
    contrast: Annotated[str, one_of(lambda: CONTRASTS), BeforeValidator(_contrast_of_today)] = (
        "middle half"
    )
    margin: Annotated[Number, Field(ge=0)] = 0.0
    test: Annotated[str, one_of(lambda: TESTS)] = "retrained"
    at: Annotated[str, one_of(lambda: TIMES)] | None = None
    baseline: str | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _equal_within_a_margin(self) -> "Claim":
        if self.direction == "equal" and self.margin == 0:
            raise ValueError(
                f"The claim that {self.model!r} is equal in {self.statistic!r} needs a margin "
                "above 0: equality is only ever shown within a margin."
            )
        return self


@final
class ClaimsFile(Value, frozen=True):
    """What a plan file holds: a list of claims.

    Raises
    ------
    ValueError
        There is no claim, or one of them is none; the message names its number from 0 and key.
    """

    called: ClassVar[str] = "plan"

    claims: Annotated[Many[Claim], Field(min_length=1)]


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
        There is no claim, or one has an unknown key or word, a value of another type, or lacks a
        key.
    """
    return ClaimsFile.from_dict(plan).claims


def former_names(plan: Mapping[str, Any]) -> str:
    """Return one line on the new names of former keys of a plan, nothing where it has none."""
    entries = plan.get("claims")
    listed = cast("list[Any]", entries) if isinstance(entries, list) else []
    for before, now in Claim.former.items():
        if any(isinstance(entry, Mapping) and before in entry for entry in listed):
            return f"The key `{before}` of a claim is called `{now}` now."
    return ""


def judge(claims: Sequence[Claim], comparisons: Sequence[Comparison]) -> tuple[Verdict, ...]:
    """Hold claims against comparisons of one baseline, whatever baseline they name."""
    return judge_estimates(claims, [estimate_of(claim, comparisons) for claim in claims])


def judge_estimates(
    claims: Sequence[Claim], estimates: Sequence[Estimate | None]
) -> tuple[Verdict, ...]:
    """Hold claims against estimates: supported, refuted or undecided, Holm over all claims."""
    pairs = list(zip(claims, estimates, strict=True))
    alone = [
        np.array([_p(claim, estimate, against=against) for claim, estimate in pairs])
        for against in (False, True)
    ]
    pro, contra = (holm(each) for each in alone)
    return tuple(
        _verdict(
            claim,
            estimate,
            pro=(float(alone[0][at]), float(pro[at])),
            contra=(float(alone[1][at]), float(contra[at])),
        )
        for at, (claim, estimate) in enumerate(pairs)
    )


def estimate_of(claim: Claim, comparisons: Sequence[Comparison]) -> Estimate | None:
    """Return the estimate that a claim speaks of, None where nothing was compared."""
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
    return float(student.upper_tail(-shortfall / error, freedom))


def _verdict(
    claim: Claim,
    estimate: Estimate | None,
    *,
    pro: tuple[float, float],
    contra: tuple[float, float],
) -> Verdict:
    """Answer a claim; p for and against it come alone and adjusted for all claims."""
    if estimate is None:
        reason = f"{claim.statistic!r} was not compared for {claim.model!r} ({claim.contrast})"
        return Verdict(claim, "undecided", reason, None, float("nan"))
    if not np.isfinite(pro[1]):
        reason = estimate.note or "the statistic does not apply"
        return Verdict(claim, "undecided", reason, estimate, float("nan"))
    alpha = 1 - estimate.level
    able = _sensitivity(claim, estimate, alpha)
    if pro[1] <= alpha:
        return Verdict(claim, "supported", "", estimate, pro[1], *able)
    if contra[1] <= alpha:
        return Verdict(claim, "refuted", "the opposite holds", estimate, contra[1], *able)
    reason = "the data allow both"
    if min(pro[0], contra[0]) <= alpha:
        side = "for" if pro[0] <= alpha else "against"
        reason = f"{side} it if it were the only claim, and not among all of them"
    return Verdict(claim, "undecided", reason, estimate, pro[1], *able)


def _sensitivity(claim: Claim, estimate: Estimate, alpha: float) -> tuple[float, float]:
    error, freedom = float(estimate.error), float(estimate.freedom)
    if claim.direction != "equal":
        return detectable(error, freedom, alpha=2 * alpha), float("nan")
    return float("nan"), equivalence_power(error, freedom, claim.margin, alpha=alpha)
