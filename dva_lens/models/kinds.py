"""Knowing models of other libraries without importing these, which takes seconds."""

from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def is_bridge(model: object) -> bool:
    """Say whether a model is a TransformerLens bridge."""
    return _is_a(model, "TransformerBridge", "transformer_lens")


def is_pretrained(model: object) -> TypeGuard["PreTrainedModel"]:
    """Say whether a model is a `PreTrainedModel` of transformers."""
    return _is_a(model, "PreTrainedModel", "transformers")


def _is_a(model: object, name: str, library: str) -> bool:
    return any(
        each.__name__ == name and each.__module__.startswith(library)
        for each in type(model).__mro__
    )
