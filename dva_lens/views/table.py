"""Every view, by name: what it draws, which question it answers, what it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

from dva_lens.plugins import Registry
from dva_lens.views.depth import depth_profile
from dva_lens.views.drains import DRAINS, drain_plot
from dva_lens.views.dynamics import DYNAMISM, dynamism_profile
from dva_lens.views.figure import Figure
from dva_lens.views.flow import SHARE, value_source_flow
from dva_lens.views.heads import layer_head_map
from dva_lens.views.scatter import head_scatter
from dva_lens.views.sinks import SINK_RATE, sink_curve
from dva_lens.views.spans import span_profile
from dva_lens.views.tokens import PINNED, token_lane
from dva_lens.views.training import training_curves


@final
@dataclass(frozen=True)
class View:
    """A way to draw data: the function, the question it answers, and the statistics it needs.

    `needs` is empty where the reader chooses the statistic. `of` says whether it draws what was
    measured on a text, what was kept of single queries, or the log of a training.
    """

    function: Callable[..., Figure]
    title: str
    question: str
    needs: tuple[str, ...] = ()
    of: Literal["measurement", "queries", "training"] = "measurement"


_VIEWS: dict[str, View] = {
    "depth_profile": View(
        depth_profile, "Statistic by depth", "In which layers do models differ?"
    ),
    "span_profile": View(
        span_profile, "Statistic by visible keys", "Does it hold at every length?"
    ),
    "layer_head_map": View(
        layer_head_map, "Statistic of every head", "Which heads stand out, and in which layer?"
    ),
    "head_scatter": View(
        head_scatter, "Two statistics of every head", "Do two statistics go together?"
    ),
    "sink_curve": View(
        sink_curve, "Sink rate by threshold", "How many heads have a sink?", (SINK_RATE,)
    ),
    "drain_plot": View(
        drain_plot, "Drained values by depth", "Is the first key's value drained?", DRAINS
    ),
    "dynamism_profile": View(
        dynamism_profile, "Dynamism by depth", "Do values differ between queries?", (DYNAMISM,)
    ),
    "value_source_flow": View(
        value_source_flow, "Sources of values", "Which layers do values come from?", (SHARE,)
    ),
    "training_curves": View(
        training_curves, "Loss during training", "How did training go?", of="training"
    ),
    "token_lane": View(
        token_lane, "One text, token by token", "Where in a text?", (PINNED,), of="queries"
    ),
}
VIEWS: Registry[View] = Registry(_VIEWS)
