"""Keys: what makes two runs the same run, and two measurements the same measurement."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

TRAINING_VERSION = 1
_LENGTH = 16
_FIRST_NAMES = {"rule": "weights"}
"""What a key of a model was called in training version 1, where its name has changed since."""
_ADDED_SINCE = {
    "mixer": {"kind": "attention"},
    "scores": {"kind": "dot-product"},
    "visibility": {"kind": "all"},
    "composition": {"kind": "none"},
    "share_pattern_every": 1,
    "standard_layers": [],
    "attended_width": 0,
}
"""Keys of a model that training version 1 did not have, each with what all models were then."""
_OPTIONS_SINCE = {"rule": {"columns": 0}, "visibility": {"columns": 0}}
"""Options of variants that came after the variants, each with what it was before, by axis."""


def canonical(value: object) -> str:
    """Return the one JSON text of a plain value: keys sorted, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(value: object) -> str:
    """Return the name of a plain value: the beginning of the hash of its canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:_LENGTH]


def train_key(
    config: Mapping[str, Any],
    recipe: Mapping[str, Any],
    *,
    data: str,
    tokenizer: str,
    seed: int,
) -> str:
    """Name a training by everything that decides its weights.

    `data` and `tokenizer` are hashes of their contents. A training keeps its name when a key of
    the configuration gets another one, or when there are more keys: the configuration is taken
    as training version 1 would have said it.
    """
    return digest(
        {
            "config": _as_first_said(config),
            "recipe": recipe,
            "data": data,
            "tokenizer": tokenizer,
            "seed": seed,
            "training": TRAINING_VERSION,
        }
    )


def _as_first_said(config: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: _without(value, _OPTIONS_SINCE.get(name)) for name, value in config.items()}
    return {
        _FIRST_NAMES.get(name, name): value
        for name, value in config.items()
        if name not in _ADDED_SINCE or value != _ADDED_SINCE[name]
    }


def _without(value: Any, since: Mapping[str, Any] | None) -> Any:
    """Return a variant without the options that say what it was before there were any."""
    if since is None:
        return value
    added = {name for name, usual in since.items() if value.get(name) == usual}
    return {name: option for name, option in value.items() if name not in added}


def measure_key(
    trained: str, steps: Sequence[int], *, tokens: str, length: int, backend: str
) -> str:
    """Name a measurement by the weights, the text (a hash of its tokens) and how it was taken.

    Versions of statistics are no part of it: each variable carries its own.
    """
    return digest(
        {
            "train": trained,
            "steps": list(steps),
            "tokens": tokens,
            "length": length,
            "backend": backend,
        }
    )
