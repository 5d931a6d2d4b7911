"""Every view, by name, and the file that draws it and says what it answers."""

from importlib import import_module

from dva_lens.plugins import Registry
from dva_lens.views.view import View

_FILES = {
    "depth_profile": "depth",
    "span_profile": "spans",
    "layer_head_map": "heads",
    "head_scatter": "scatter",
    "sink_curve": "sinks",
    "drain_plot": "drains",
    "dynamism_profile": "dynamics",
    "value_source_flow": "flow",
    "training_curves": "training",
    "token_lane": "tokens",
    "key_value_plot": "key_values",
    "received_map": "received",
    "contribution_graph": "paths",
}


def _view(file: str) -> View:
    return import_module(f"dva_lens.views.{file}").VIEW


VIEWS: Registry[View] = Registry({name: _view(file) for name, file in _FILES.items()})

__all__ = ["VIEWS", "View"]
