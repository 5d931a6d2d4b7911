"""Figures of labelled data: they draw, and take every label from the data.

>>> import dva_lens as lens
>>> lens.views.depth_profile(data, "entropy").show()
"""

from dva_lens.views.depth import depth_profile
from dva_lens.views.drains import drain_plot
from dva_lens.views.dynamics import dynamism_profile
from dva_lens.views.figure import Figure, bare
from dva_lens.views.flow import value_source_flow
from dva_lens.views.heads import layer_head_map
from dva_lens.views.rows import as_table
from dva_lens.views.scatter import head_scatter
from dva_lens.views.sinks import sink_curve
from dva_lens.views.spans import span_profile
from dva_lens.views.table import VIEWS, View
from dva_lens.views.theme import CONFIG
from dva_lens.views.tokens import token_lane
from dva_lens.views.training import training_curves

__all__ = [
    "CONFIG",
    "VIEWS",
    "Figure",
    "View",
    "as_table",
    "bare",
    "depth_profile",
    "drain_plot",
    "dynamism_profile",
    "head_scatter",
    "layer_head_map",
    "sink_curve",
    "span_profile",
    "token_lane",
    "training_curves",
    "value_source_flow",
]
