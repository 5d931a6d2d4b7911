"""Claims of a plan held against an archive: each with its own baseline, moment and text."""

from collections.abc import Sequence
from typing import NamedTuple, final

from dva_lens.results.archive import Archive
from dva_lens.results.compare import Comparisons, compare
from dva_lens.results.moments import When
from dva_lens.statistics.inference.plan import Claim, Verdict, estimate_of, judge_estimates

MOMENTS: dict[str, When] = {"step": "last", "loss": "loss", "start": "start"}


@final
class Asked(NamedTuple):
    """What claims are held against: a text, a baseline and a moment of training."""

    text: str | None = None
    baseline: str | None = None
    moment: When = "last"

    def by(self, claim: Claim) -> "Asked":
        """Return what a claim asks for; what it leaves open is as here."""
        moment = self.moment if claim.at is None else MOMENTS[claim.at]
        return Asked(claim.text or self.text, claim.baseline or self.baseline, moment)


NOTHING = Asked()
"""Where claims name nothing: the main text, the usual baseline and the last step."""


def held_against(
    archive: Archive, claims: Sequence[Claim], otherwise: Asked = NOTHING
) -> tuple[Verdict, ...]:
    """Return what an archive says to claims; p values by Holm over all of them.

    `otherwise` says what claims are held against where they name nothing themselves.

    Raises
    ------
    ArchiveError
        If no run was measured on a text.
    ValueError
        If there is no such baseline.
    NotComparableError
        If models were measured on different texts, or share no step or loss.
    KeyError
        If no model holds a statistic that is named.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> claim = Claim(statistic="dynamism", model="dva", direction="higher", baseline="zero")
    >>> held_against(open_archive("runs/quick"), [claim])[0].claim.model
    'dva'
    """
    asked = [otherwise.by(claim) for claim in claims]
    compared: dict[Asked, Comparisons] = {}
    for one in dict.fromkeys(asked):
        same = [claim for claim, each in zip(claims, asked, strict=True) if each == one]
        compared[one] = compare(
            archive.on(one.text),
            one.baseline,
            [claim.statistic for claim in same],
            contrasts=[claim.contrast for claim in same],
            moment=one.moment,
        )
    estimates = [
        estimate_of(claim, compared[one].entries) for claim, one in zip(claims, asked, strict=True)
    ]
    return judge_estimates(claims, estimates)
