"""Parts of sentences about sinks, drains and differences, made from numbers and intervals."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dva_lens import axes
from dva_lens.results.reader import Measurements
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.views.words import listed, number, shown

STILL_UNIFORM = 0.98
"""A model whose normalised entropy is above this in every layer has not begun to attend."""


def bars(row: Mapping[str, Any]) -> str:
    """Say what uniform attention and the untrained model give a key."""
    said = f"uniform attention gives it {shown(row['uniform'])}"
    if np.isfinite(row["untrained"]):
        return f"{said}, the untrained model {shown(row['untrained'])}"
    return f"{said}, the untrained model was not measured"


def key_words(row: Mapping[str, Any]) -> str:
    """Say which key a row is about."""
    token = f" ({readable(row['token'])})" if row["token"] else ""
    if row["position"] == 0:
        return f"the first key{token}"
    if row["position"] < 0:
        return f"the first {readable(row['token'])} of a text"
    return f"position {row['position']}{token}"


def readable(token: str) -> str:
    """Return a token in quotation marks, with invisible characters written as their codes."""
    return f"“{token.encode('unicode_escape').decode() if not token.isprintable() else token}”"


def heads_with_sinks(table: pd.DataFrame, model: str) -> str:
    """Say how many heads of a model have a sink, over all its trainings."""
    own = [row for row in table.to_dict("records") if row["model"] == model]
    heads = {(row["seed"], row["layer"], row["head"]): False for row in own}
    for row in own:
        heads[row["seed"], row["layer"], row["head"]] |= bool(row["sink"])
    verb = "has" if sum(heads.values()) == 1 else "have"
    return f"{sum(heads.values())} of {number(len(heads), 'head')} {verb} a sink."


def drain_words(row: Mapping[str, Any]) -> str:
    """Say whether the value at a key is drained."""
    if not np.isfinite(row.get("drain", np.nan)):
        return "Whether its value is drained was not measured."
    size = shown(row["drain"], row["drain_low"], row["drain_high"])
    said = {
        "drained": "Its value is drained",
        "not drained": "Its value is not drained",
        "undecided": "Whether its value is drained is undecided",
    }[row["drained"]]
    return f"{said}: {size} of the median size."


def why_idle(measured: Measurements, model: str) -> str:
    """Say that a model has not begun to attend, where it has not."""
    name = "normalised_entropy"
    if name not in measured.statistics:
        return ""
    found = measured.estimate(name, (axes.LAYER,))["value"].sel({axes.MODEL: model}).values
    held = found[np.isfinite(found)]
    if len(held) and held.min() > STILL_UNIFORM:
        return f"Attention is still uniform (normalised entropy {shown(held.min())} and above). "
    return ""


def changes(own: Sequence[Comparison], titles: Mapping[str, str]) -> str:
    """Say how a model differs from the baseline: what is decided, then what is not."""
    decided = [one for one in own if one.word != "undecided"]
    left = [_size(one, titles) for one in own if one.word == "undecided"]
    parts = [listed([_size(one, titles) for one in decided])] if decided else []
    parts += [f"undecided: {listed(left)}"] if left else []
    return "; ".join(parts)


def _size(one: Comparison, titles: Mapping[str, str]) -> str:
    mean, low, high = (float(part) for part in (one.text.mean, one.text.low, one.text.high))
    title = titles[one.statistic]
    name = title[:1].lower() + title[1:]
    if one.word == "lower":
        return f"{name} lower by {shown(-mean, -high, -low)}"
    if one.word == "higher":
        return f"{name} higher by {shown(mean, low, high)}"
    return f"{name} {shown(mean, low, high)}"


def nothing_changes(one: Comparison) -> bool:
    """Say whether two models do not differ at all, as where neither has what is measured."""
    return float(one.text.mean) == 0 and float(one.text.low) == float(one.text.high)


def limits(own: Sequence[Comparison]) -> str:
    """Say what the differences of a model are about."""
    over = f"Mean over {own[0].contrast} of the layers." if own[0].contrast != "mean" else ""
    note = next((one.retrained.note for one in own if not one.retrained.supports_claims), "")
    few = f"For these checkpoints ({note})." if note else ""
    return " ".join(part for part in (over.replace("over middle", "over the middle"), few) if part)


def trait(config: Any) -> str:
    """Return what a configuration says of the value path: where values come from, their form."""
    try:
        said = json.loads(config)
    except (TypeError, ValueError):
        return ""
    parts = []
    for axis, plain, word in (
        ("value_source", "own", "value source"),
        ("value_form", "static", "value form"),
    ):
        held = said.get(axis) if isinstance(said, dict) else None
        name = held.get("kind") if isinstance(held, dict) else held
        if isinstance(name, str) and name != plain:
            parts.append(f"{word} {name}")
    return ", ".join(parts)
