"""What can every model be made of, what does it cost, and what of it is the papers'?

python -m dva_lens.analyses.pages.mechanisms > docs/mechanisms.md
"""

import sys
from collections.abc import Iterator

from dva_lens.mechanisms.tables import AXES
from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import flops_per_token, kv_bytes_per_token, parameters
from dva_lens.models.presets import PRESETS, Size, preset

SIZE = Size(layers=12, width=768, heads=12, vocabulary=50257, context=1024)
TITLES = {
    "mixer": "Mixer: what a block has in the place of attention",
    "scores": "Scores: what queries and keys are read from",
    "rule": "Rule: how scores become attention weights",
    "visibility": "Visibility: which keys a query sees",
    "composition": "Composition: what heads make of each other's scores and weights",
    "projections": "Projections: how linear maps are parametrised",
    "value_source": "Value source: where the static value of a key comes from",
    "value_form": "Value form: whether a value depends on the query",
    "output": "Output: what happens between attention and output projection",
    "depth_average": "Depth average: what a block reads",
    "feedforward": "Feed-forward network",
    "positions": "Positions",
    "norm": "Norm",
}
INTRODUCTION = f"""# Mechanisms

Made from the tables of mechanisms by `python -m dva_lens.analyses.pages.mechanisms`.

Each axis is chosen by itself, and the axes compose. Costs are those of the whole model when one
axis of a LLaMA-style model is changed ({SIZE.layers} layers, width {SIZE.width}, {SIZE.heads}
heads, vocabulary {SIZE.vocabulary}, context {SIZE.context}): parameters and forward operations
per token of a full context as differences, and the bytes that generation keeps of each token in
bfloat16. *Ours* says what the source leaves open and how it was decided here.

No formula of Dynamic Value Attention (2512.22212) is public beyond its abstract: that a value is
decided for each query, that one head suffices, that the feed-forward network can go. The value
forms that name it are ours, and no result with one is a reproduction. *Pair* says whether a value
depends on the pair of query and key, or what it collapses into; of heads that are composed,
whether each pair chooses the heads that deliver its value.

What a mechanism came to in a trained model is data as well: `python -m
dva_lens.analyses.value_path CHECKPOINT` tells for every layer in which shares its values come from
the layer itself, the first layer, a donor or a table, and for every mixing weight whether it is
alive: its norm, its gradient, how far it moved, and what the loss gains without it. In Python
these are `dva_lens.models.ledger.value_ledger(model, tokens)` and `audit(model, tokens, start)`.
Models of different mechanisms are made to cost alike by `dva_lens.models.costs.match`, or by
`match:` in a study. Whether every preset learns a task, and where it parks its attention, is in
[known_answers.md](known_answers.md).
"""
HEAD = "| {first} | formula | source | {pair}parameters | operations | KV bytes | ours |"
RULE = "|---|---|---|---|---|---|---|"
PRESET_HEAD = "| preset | what it is | source | parameters | operations | KV bytes |\n" + (
    "|---|---|---|---|---|---|"
)


def changed(config: ModelConfig) -> tuple[str, str, str]:
    """Return what a model costs beyond the LLaMA-style one, and what it keeps per token."""
    base = SIZE.config()
    extra = parameters(config) - parameters(base)
    work = flops_per_token(config) - flops_per_token(base)
    return _signed(extra), _signed(work), f"{kv_bytes_per_token(config):,}"


def axis(name: str) -> Iterator[str]:
    """Yield the rows of one axis."""
    paired = name in ("value_form", "composition")
    yield HEAD.format(first=name.replace("_", " "), pair="pair | " if paired else "")
    yield RULE + "---|" * paired
    for kind, variant in AXES[name].items():
        config = SIZE.config().changed(**{name: kind})
        about = (variant.source, *([variant.pairing or "–"] if paired else []))
        cells = (f"`{kind}`", _cell(variant.formula), *about, *changed(config))
        yield f"| {' | '.join(cells)} | {variant.ours or '–'} |"


def presets() -> Iterator[str]:
    """Yield the rows of the presets."""
    yield PRESET_HEAD
    for name, one in PRESETS.items():
        config = preset(name, SIZE)
        cells = (f"`{name}`", one.meaning, one.citation)
        counts = (_signed(parameters(config)), _signed(flops_per_token(config)))
        kept = f"{kv_bytes_per_token(config):,}"
        yield f"| {' | '.join((*cells, *(each.lstrip('+') for each in counts), kept))} |"


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    for name, title in TITLES.items():
        parts.append(f"## {title}\n")
        parts.append("\n".join(axis(name)) + "\n")
    parts.append("## Presets\n\nWhole models, with their whole costs at the same size.\n")
    parts.append("\n".join(presets()) + "\n")
    return "\n".join(parts)


def main() -> int:
    """Print the page."""
    sys.stdout.write(page())
    return 0


def _cell(formula: str) -> str:
    return formula.replace("|", "\\|")


def _signed(count: float | int) -> str:
    """Return a number with its sign, in thousands or millions where it is large."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if abs(count) >= unit:
            return f"{count / unit:+.4g}{name}"
    return f"{count:+.4g}" if count else "0"


if __name__ == "__main__":
    sys.exit(main())
