"""How the loss fell while models were trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, Runs, conditions, label_of
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.view import View

LOSS, HELD_OUT = "loss", "held_out_loss"
TRAIN_STEP = "train_step"
LOWEST = "lowest held-out loss"
Against = Literal["tokens", "step", "seconds"]
_TITLES = {"tokens": "Tokens trained on", "step": "Training step", "seconds": "Training time [s]"}


@final
@dataclass(frozen=True)
class Curve:
    """One training: its losses, and where they stand; held-out loss is NaN where not measured."""

    condition: Condition
    seed: str
    x: np.ndarray
    loss: np.ndarray
    held_out: np.ndarray

    @property
    def measured(self) -> np.ndarray:
        """Whether a held-out loss was measured."""
        return np.isfinite(self.held_out)


def training_curves(data: Runs, against: Against = "tokens") -> Figure:
    """Draw training and held-out loss of every training against tokens, steps or seconds.

    Every seed is a line of its own: how far they lie apart is all that is known of the spread
    between trainings. The dotted line is the lowest held-out loss.

    Raises
    ------
    KeyError
        If a training log holds no loss.
    ValueError
        If `against` is none of these.
    """
    if against not in _TITLES:
        raise ValueError(f"against must be among {', '.join(_TITLES)}, got {against!r}.")
    found = conditions(data, LOSS)
    curves = [
        _curve(condition, at, against) for condition in found for at in range(len(condition.runs))
    ]
    traces = [part for curve in curves for part in _draw(curve)]
    return compose(
        [*_lowest(curves), *traces],
        title="Loss during training",
        caption=_caption(curves),
        rows=[row for curve in curves for row in _rows(curve, against)],
        layout={
            "xaxis": theme.axis(_TITLES[against], rangemode="tozero"),
            "yaxis": theme.axis(label_of(found[0].first(LOSS))),
            "hovermode": "closest",
        },
    )


def _curve(condition: Condition, at: int, against: Against) -> Curve:
    run = condition.runs[at]
    x = run[TRAIN_STEP if against == "step" else against].values.astype(float)
    loss = run[LOSS].values.astype(float)
    held_out = (
        run[HELD_OUT].values.astype(float) if HELD_OUT in run else np.full_like(loss, np.nan)
    )
    return Curve(condition, condition.seeds[at], x, loss, held_out)


def _draw(curve: Curve) -> list[lines.Trace]:
    condition, kept = curve.condition, curve.measured
    common = {"type": "scatter", "name": condition.name, "legendgroup": condition.name}
    seed = f"<b>{condition.name}</b>, seed {theme.escape(curve.seed)}"
    faint = {
        **common,
        "mode": "lines",
        "x": curve.x,
        "y": curve.loss,
        "line": {"color": condition.look.colour, "width": 1},
        "opacity": 0.4 if kept.any() else 1.0,
        "showlegend": not kept.any() and curve.seed == condition.seeds[0],
        "hovertemplate": f"{seed}, training loss %{{y:.3f}}<extra></extra>",
    }
    if not kept.any():
        return [faint]
    held_out = {
        **common,
        "mode": "lines+markers",
        "x": curve.x[kept],
        "y": curve.held_out[kept],
        "line": {"color": condition.look.colour, "width": 2, "dash": condition.look.dash},
        "marker": {"symbol": condition.look.symbol, "size": 6, "color": condition.look.colour},
        "showlegend": curve.seed == condition.seeds[0],
        "hovertemplate": f"{seed}, held-out loss %{{y:.3f}}<extra></extra>",
    }
    return [faint, held_out]


def _lowest(curves: Sequence[Curve]) -> list[lines.Trace]:
    lowest = [curve.held_out[curve.measured].min() for curve in curves if curve.measured.any()]
    if not lowest:
        return []
    end = max(np.nanmax(curve.x) for curve in curves)
    return [lines.dotted(np.array([0, end]), np.full(2, min(lowest)), LOWEST)]


def _caption(curves: Sequence[Curve]) -> str:
    count = words.number(len(curves), "training")
    if not any(curve.measured.any() for curve in curves):
        return f"Loss on the training batches of {count}; no held-out loss was measured."
    return (
        f"{count[0].upper()}{count[1:]}, one line each. Thick, with marks: held-out text; thin: "
        "the training batches. No interval: lines of one colour differ by seed, and how far "
        "they lie apart shows the observed spread. Dotted: the lowest held-out loss."
    )


def _rows(curve: Curve, against: str) -> list[Row]:
    kept = curve.measured if curve.measured.any() else np.isfinite(curve.loss)
    return [
        {
            "model": curve.condition.label,
            "seed": curve.seed,
            against: words.plain(curve.x[at]),
            "loss": words.plain(curve.loss[at]),
            "held-out loss": words.plain(curve.held_out[at]),
        }
        for at in np.flatnonzero(kept)
    ]


VIEW = View(
    training_curves, "Loss during training", "How did training go?", of="training", against=LOWEST
)
