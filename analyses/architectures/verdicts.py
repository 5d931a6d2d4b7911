"""From the result of a class to a verdict and a reason: what the page says of it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .comparison import EXACT

Result = Mapping[str, Any]
EXACTLY, PARTLY, REFUSED, FAULT, NOT_BUILT = "exactly", "partly", "refused", "FAULT", "not built"

OWN_CODE = "attends in code of its own, without transformers' AttentionInterface"
OTHERWISE = "its own attention differs from the one that it states"
NO_STACK = "is no single stack of layers: it runs them in stages, or again"
REFUSALS = {
    r"computes attention in code of its own": OWN_CODE,
    r"attend in code of their own": OWN_CODE,
    r"they hold no attention": "no layer holds an attention (recurrent or convolutional)",
    r"attends more than once in a pass": "attends more than once in a layer",
    r"holds two attentions": "a layer holds two attentions",
    r"queries for \d+ keys": "attends to other keys than those of its text",
    r"does not say how many layers|holds no list of": NO_STACK,
    r"tokens at every position": "takes several tokens at a position",
    r"does not run over": "needs something else beside texts and images",
    r"it cuts them into windows": "cuts images into windows, each a row of its own",
    r"each time it runs over the same": "puts out something else each time it runs",
    r"reads more than the source at once": "attends to the source and the target at once",
    r"and not numbers for every position": "puts out no state for every position",
    r"no table of embeddings": "has no table of token embeddings",
    r"differs between heads": "a mask that differs between heads",
    r"adds numbers to the scores": "a mask that adds numbers to scores",
    r"asks for sinks": "a learned sink that each query weighs by itself",
    r"asks for position_bias": "a bias per pair of positions",
    r"reads \w+ and no text": "its encoder reads images or sounds",
    r"puts out something else|attends otherwise than": OTHERWISE,
}
"""The reasons why a class is refused, by what the refusal says."""

ABSENCES = {
    r"predict a next token": "no next token is predicted",
    r"the layer has no attention": "layers without attention",
    r"compares places of queries with": "places in two texts do not compare",
    r"does not go into an output projection": "between attention and W_O stands a gate or a norm",
    r"not one state for every position": "the residual stream is no single stream",
}
"""The reasons why a statistic is NaN, by what its data say; three leave a class exact."""

NOT_PART = tuple(ABSENCES.values())[:3]

BUILDING = {
    r"requires the (\S+) library": r"needs the package \1",
    r"has \d+ parameters at its smallest": "not tiny at its smallest",
}
"""The reasons why a class is not built, by what it says; any other stands in its result alone."""

NO_SIZES = "no small sizes are known that its configuration takes"


def verdict(result: Result) -> tuple[str, str]:
    """Return what became of a class, and why: its reason, or its message where none is known."""
    stage = result["stage"]
    if stage == "building":
        return NOT_BUILT, _known(BUILDING, result["message"]) or NO_SIZES
    if stage != "measured":
        reason = _known(REFUSALS, result["message"])
        return (
            (FAULT, f"{result['error']}: {_line(result)}") if reason is None else (REFUSED, reason)
        )
    if result["worst"] > EXACT:
        return FAULT, f"{result['where']} is off by {result['worst']:.2g}"
    if result["unverified"]:
        return FAULT, f"nothing to compare with: {', '.join(result['unverified'])}"
    refused = {part: _known(REFUSALS, said) for part, said in result["refused"].items()}
    for part, reason in refused.items():
        if reason is None:
            return FAULT, f"{part}: {result['refused'][part]}"
    reasons = absences(result["missing"].values())
    parts = [each for each in reasons if each not in NOT_PART]
    parts = [f"{part}: {reason}" for part, reason in refused.items()] + parts
    return (PARTLY, "; ".join(parts)) if parts else (EXACTLY, "; ".join(reasons))


def absences(reasons: Iterable[str]) -> list[str]:
    """Return the reasons why statistics are NaN, each once."""
    return sorted({_known(ABSENCES, each) or each for each in reasons})


def _known(table: Mapping[str, str], message: str) -> str | None:
    for pattern, reason in table.items():
        found = re.search(pattern, message)
        if found:
            return found.expand(reason)
    return None


def _line(result: Result) -> str:
    """Return the last line of a message that says something, short enough for a table."""
    lines = [each.strip() for each in result["message"].splitlines() if each.strip()]
    return (lines[-1] if lines else result["error"]).replace("|", "/")[:160]
