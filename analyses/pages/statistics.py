"""What every statistic means, written from the table of statistics itself.

python -m dva_lens.analyses.pages.statistics > docs/statistics.md
"""

import sys
from collections.abc import Callable

import numpy as np

from dva_lens.axes import MANY_KEYS
from dva_lens.diagnostics.ablation import head_importance
from dva_lens.diagnostics.collapse import collapse_bound
from dva_lens.diagnostics.gradients import value_gradients
from dva_lens.diagnostics.layers import layer_similarity, rollout
from dva_lens.diagnostics.pairing import dynamic_diagnostics
from dva_lens.diagnostics.path_length import path_lengths
from dva_lens.diagnostics.sinks import sink_atlas
from dva_lens.measuring.controls import measure_control
from dva_lens.sites import SUMMARY, TILES
from dva_lens.statistics.extended.accounts import remainder_shares
from dva_lens.statistics.inference.agreement import RIVALS, Rivalry, agreement
from dva_lens.statistics.inference.distributions import (
    head_quantiles,
    rank_agreement,
    wasserstein,
)
from dva_lens.statistics.sinks import DRAINED, TIMES_UNIFORM, TIMES_UNTRAINED
from dva_lens.statistics.statistic import Statistic
from dva_lens.statistics.table import EXTENDED, PRIMARY, RECORDED, STATISTICS

KEYS = 64
PLACES = {
    "query": "one number per query, averaged within spans of visible keys",
    "key": "one number per key",
    "head": "one number per head and text",
    "kv_head": "one number per key-value head and text",
    "layer": "one number per layer and text",
    "model": "one number per text",
}
ON_MODELS = (
    sink_atlas,
    layer_similarity,
    rollout,
    dynamic_diagnostics,
    head_importance,
    path_lengths,
    value_gradients,
    collapse_bound,
    measure_control,
)
ON_ARRAYS = (
    remainder_shares,
    head_quantiles,
    wasserstein,
    rank_agreement,
    agreement,
)
INTRODUCTION = f"""# Statistics

Made from the table of statistics by `python -m dva_lens.analyses.pages.statistics`.

The *reference* is the value of a statistic under uniform attention over the visible keys: a point
of comparison, not a null hypothesis. The example gives it for a query that sees {KEYS} keys, or
for a causal text of {KEYS} tokens. A statistic that does not apply is NaN, and its data say why.
Rows are compared within *spans*: queries that see 2^s up to 2^(s+1) - 1 keys.
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
        composed = "read with their signs" if entry.signed else "no number, with that reason"
        facts.insert(-2, f"- **Weights that heads compose, some of them negative**: {composed}")
    if entry.first_row == "dropped":
        facts.insert(1, "- **First rows**: left out where it is not defined")
    if entry.pitfalls:
        facts.append(f"- **Pitfalls**: {entry.pitfalls}")
    text = [f"### {entry.long_name}", "", entry.meaning, "", f"$${entry.formula}$$", "", *facts]
    return "\n".join(text) + "\n"


BESIDE = (
    "## Beside the primary set\n\nMeasured by default as well, for findings about sinks; no claim "
    "rests on it and it is in no family of tests.\n"
)

SINKS = (
    f"## What a sink is\n\n"
    f"A head has a sink at a key where the lower 95 % bound of the mean weight on that key, "
    f"over queries that see at least {MANY_KEYS} keys, exceeds {TIMES_UNIFORM:g} times what "
    f"uniform attention gives it and {TIMES_UNTRAINED:g} times what the untrained model of "
    f"the same seed gives it. The sink rate of the literature stands beside it. The value "
    f"there is drained where the 95 % interval of its size over the median is below "
    f"{DRAINED:g}.\n\n"
    f"The key must not be chosen by the numbers that it is judged by: on noise the largest "
    f"of many keys is above the mean too. The first key is chosen beforehand. Any other key "
    f"(a position, or the first occurrence of a token in a text) is the one that is most "
    f"often on top in one half of the documents, and is judged on the other half, where a "
    f"text with another key on top counts as zero; weights are not negative, so that is at "
    f"most its mean weight. The untrained model counts with the largest mean weight on any "
    f"key. A head is not adjusted for being the largest of many: its mass reads a little "
    f"high.\n\n"
    f"`dva_lens.sinks(archive)` returns a table of every head, `dva_lens.findings(archive)` "
    f"the sentences that `dva-lens study run`, the report and the explorer begin with; both "
    f"take what `dva_lens.measure` returned, too.\n"
)


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Primary set\n\nMeasured by default, in one pass.\n"]
    parts += [section(STATISTICS[name]) for name in PRIMARY]
    parts.append(BESIDE)
    parts += [section(STATISTICS[name]) for name in RECORDED if name not in PRIMARY]
    parts.append(SINKS)
    parts.append("## Extended set\n\nMeasured on request.\n")
    parts += [section(STATISTICS[name]) for name in EXTENDED]
    parts.append(
        "## Of models\n\nCalls from a model and a text, for what is no number of one layer, "
        "head or query: each is `dva_lens.NAME(model, text)` and returns labelled data.\n"
    )
    parts += [f"- `{each.__name__}`: {_first_line(each)}" for each in ON_MODELS]
    parts.append("\n## On arrays\n")
    parts += [f"- `{each.__module__}.{each.__name__}`: {_first_line(each)}" for each in ON_ARRAYS]
    parts.append(
        "\n## Competing definitions\n\nWhat papers answer in several ways; "
        "`python -m dva_lens.analyses.competing_definitions DIR` says how far the answers of an "
        "archive agree.\n"
    )
    parts += [_rivalry(each) for each in RIVALS.values()]
    return "\n".join(parts) + "\n"


def _first_line(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").splitlines()[0]


def _rivalry(rivalry: Rivalry) -> str:
    ways = "; ".join(f"{each.label} (`{each.statistic}`)" for each in rivalry.definitions)
    return f"- **{rivalry.question}** {ways}."


def main() -> int:
    """Print the page."""
    sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
