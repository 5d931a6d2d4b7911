"""What every statistic means, written from the table of statistics itself.

python -m dva_lens.analyses.statistics_page > docs/statistics.md
"""

import sys

import numpy as np

from dva_lens.sites import SUMMARY, TILES
from dva_lens.statistics.extended.accounts import remainder_shares
from dva_lens.statistics.extended.atlas import atlas
from dva_lens.statistics.extended.bound import lowest_entropy, score_sigma
from dva_lens.statistics.extended.dynamic import OperatorRank, non_affine_share
from dva_lens.statistics.extended.rollout import rollout_step, uniform_rollout
from dva_lens.statistics.extended.similarity import PatternGram, linear_cka
from dva_lens.statistics.inference.distributions import (
    head_quantiles,
    rank_agreement,
    wasserstein,
)
from dva_lens.statistics.statistic import Statistic
from dva_lens.statistics.table import EXTENDED, PRIMARY, STATISTICS

KEYS = 64
PLACES = {
    "query": "one number per query, averaged within spans of visible keys",
    "key": "one number per key",
    "head": "one number per head and text",
    "kv_head": "one number per key-value head and text",
    "layer": "one number per layer and text",
    "model": "one number per text",
}
FUNCTIONS = (
    atlas,
    OperatorRank,
    non_affine_share,
    remainder_shares,
    PatternGram,
    linear_cka,
    rollout_step,
    uniform_rollout,
    lowest_entropy,
    score_sigma,
    head_quantiles,
    wasserstein,
    rank_agreement,
)
INTRODUCTION = f"""# Statistics

Made from the table of statistics by `python -m dva_lens.analyses.statistics_page`.

The *reference* is what a statistic reads on uniform attention over the visible keys: a yardstick,
not a null. The example gives it for a query that sees {KEYS} keys, or for a causal text of
{KEYS} tokens. A statistic that does not apply is NaN, and its data say why. Rows are compared
within *spans*: queries that see 2^s up to 2^(s+1) - 1 keys.
"""


def example(entry: Statistic) -> str:
    """Return what a statistic reads on uniform attention, or why there is no such number."""
    if entry.reference is None:
        return f"no reference: {entry.why_no_reference}"
    found = np.atleast_1d(np.asarray(entry.reference(np.array([KEYS]))[0]))
    numbers = ", ".join(f"{value:.4g}" for value in found)
    if entry.extra:
        (name, labels), *_ = entry.extra.items()
        return f"{numbers} at {name} {', '.join(str(label) for label in labels)}"
    return numbers if entry.units == "1" else f"{numbers} {entry.units}"


def section(entry: Statistic) -> str:
    """Return the part of the page about one statistic."""
    needs = ", ".join(f"`{site.name}`" for site in entry.needs)
    facts = [
        f"- **Variable**: `{entry.name}` (version {entry.version}), [{entry.units}], "
        f"{PLACES[entry.at]}",
        *(f"- **Also over**: `{name}`: {', '.join(map(str, labels))}"
          for name, labels in entry.extra.items()),
        f"- **On uniform attention**: {example(entry)}",
        f"- **Source**: {entry.source}",
        f"- **Recorded at**: {needs}",
    ]  # fmt: skip
    if {SUMMARY, TILES} & set(entry.needs):
        facts.insert(-2, f"- **Weights that do not total one**: {entry.row_mass}")
    if entry.first_row == "dropped":
        facts.insert(1, "- **First rows**: left out where it is not defined")
    if entry.pitfalls:
        facts.append(f"- **Pitfalls**: {entry.pitfalls}")
    text = [f"### {entry.long_name}", "", entry.meaning, "", f"$${entry.formula}$$", "", *facts]
    return "\n".join(text) + "\n"


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Primary set\n\nMeasured unless told otherwise, in one pass.\n"]
    parts += [section(STATISTICS[name]) for name in PRIMARY]
    parts.append("## Extended set\n\nMeasured on request.\n")
    parts += [section(STATISTICS[name]) for name in EXTENDED]
    parts.append("## On arrays\n\nFunctions for what does not belong to one layer or head.\n")
    parts += [
        f"- `{each.__module__}.{each.__name__}`: {(each.__doc__ or '').splitlines()[0]}"
        for each in FUNCTIONS
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Print the page."""
    sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
