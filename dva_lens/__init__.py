"""Measure where attention goes, and what the value path has to do with it.

>>> import dva_lens as lens
>>> model = lens.load("runs/quick/checkpoints/dva-0")
>>> data = lens.measure(model, "To be, or not to be.")
"""

from importlib import import_module

__version__ = "0.1.0"

_LAZY = {
    "load": "dva_lens.loading",
    "measure": "dva_lens.measuring",
    "measure_parts": "dva_lens.measuring",
    "measure_control": "dva_lens.measuring.controls",
    "layer_similarity": "dva_lens.diagnostics.layers",
    "rollout": "dva_lens.diagnostics.layers",
    "dynamic_diagnostics": "dva_lens.diagnostics.pairing",
    "collapse_bound": "dva_lens.diagnostics.collapse",
    "head_importance": "dva_lens.diagnostics.ablation",
    "path_lengths": "dva_lens.diagnostics.path_length",
    "intervene": "dva_lens.diagnostics.interventions.intervene",
    "interventions": "dva_lens.diagnostics.interventions.values",
    "follow": "dva_lens.study.following",
    "LensCallback": "dva_lens.study.callback",
    "value_gradients": "dva_lens.diagnostics.gradients",
    "sink_atlas": "dva_lens.diagnostics.sinks",
    "open_archive": "dva_lens.results.archive",
    "edges": "dva_lens.results.edges",
    "key_values": "dva_lens.results.key_values",
    "read_headvis": "dva_lens.results.headvis",
    "show": "dva_lens.showing",
    "findings": "dva_lens.reports.findings",
    "sinks": "dva_lens.reports.findings",
    "pattern_tiles": "dva_lens.measuring.closeup",
    "top_edges": "dva_lens.measuring.closeup",
    "pair": "dva_lens.measuring.pair",
    "views": "dva_lens.views",
}
_MODULES = ("interventions", "views")
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for, so that importing the package is instant."""
    if name not in _LAZY:
        raise AttributeError(f"module 'dva_lens' has no attribute {name!r}; it offers {__all__}.")
    module = import_module(_LAZY[name])
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
