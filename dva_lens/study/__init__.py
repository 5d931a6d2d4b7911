"""Studies: which models are trained alike, on what, and measured on which texts."""

from importlib import import_module

_LAZY = {
    "Study": "dva_lens.study.definition",
    "STUDIES": "dva_lens.study.builtin",
    "read_study": "dva_lens.study.builtin",
    "run": "dva_lens.study.runner",
}
__all__ = [*_LAZY]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: naming a study needs no torch."""
    if name not in _LAZY:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; it offers {__all__}."
        )
    return getattr(import_module(_LAZY[name]), name)
