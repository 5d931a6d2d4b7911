"""Knowing a TransformerLens bridge without importing bridges, which takes seconds."""


def is_bridge(model: object) -> bool:
    """Say whether a model is a TransformerLens bridge."""
    return any(
        each.__name__ == "TransformerBridge" and each.__module__.startswith("transformer_lens")
        for each in type(model).__mro__
    )
