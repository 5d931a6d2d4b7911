"""Small figures side by side in one: where each stands and what it is called."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from dva_lens.views import theme

_GAP_X, _GAP_Y = 0.05, 0.24
_HEADING = 0.07


@final
@dataclass(frozen=True)
class Panels:
    """A grid of panels, numbered by row from the top left."""

    count: int
    most_columns: int = 4
    gap_x: float = _GAP_X
    gap_y: float = _GAP_Y
    headings: bool = True

    @property
    def columns(self) -> int:
        """How many panels stand side by side."""
        return min(self.count, self.most_columns)

    @property
    def rows(self) -> int:
        """How many rows of panels there are."""
        return math.ceil(self.count / self.columns)

    def place(self, at: int) -> dict[str, str]:
        """Return the axes that a trace of a panel is drawn on."""
        return {"xaxis": f"x{_suffix(at)}", "yaxis": f"y{_suffix(at)}"}

    def axes(self, at: int, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
        """Return the two axes of a panel for a layout, set where the panel stands."""
        (left, right), (bottom, top) = self._domain(at)
        x_axis = {**x, "domain": [left, right], "anchor": f"y{_suffix(at)}"}
        y_axis = {**y, "domain": [bottom, top], "anchor": f"x{_suffix(at)}"}
        return {f"xaxis{_suffix(at)}": x_axis, f"yaxis{_suffix(at)}": y_axis}

    def titles(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return the annotations that name the panels."""
        return [self._title(at, text) for at, text in enumerate(texts)] if self.headings else []

    def side_label(self, label: str) -> dict[str, Any]:
        """Return one label for the vertical axes of all panels; `label` is escaped already."""
        return {
            "x": 0,
            "y": 0.5,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "right",
            "yanchor": "middle",
            "xshift": -38,
            "textangle": -90,
            "text": label,
            "showarrow": False,
        }

    def _title(self, at: int, text: str) -> dict[str, Any]:
        (left, _), (_, top) = self._domain(at)
        return {
            "x": left,
            "y": top,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "left",
            "yanchor": "bottom",
            "text": f"<b>{theme.escape(text)}</b>",
            "showarrow": False,
            "font": {"size": 11.5},
        }

    def is_left(self, at: int) -> bool:
        """Whether a panel is the first of its row."""
        return at % self.columns == 0

    def is_lowest(self, at: int) -> bool:
        """Whether nothing stands below a panel."""
        return at + self.columns >= self.count

    def _domain(self, at: int) -> tuple[tuple[float, float], tuple[float, float]]:
        row, column = divmod(at, self.columns)
        width = (1 - self.gap_x * (self.columns - 1)) / self.columns
        whole = 1 - _HEADING * self.headings
        gap = min(self.gap_y, whole / (2 * self.rows - 1))  # many rows still leave panels a height
        height = (whole - gap * (self.rows - 1)) / self.rows
        left = column * (width + self.gap_x)
        top = whole - row * (height + gap)
        return (left, min(1.0, left + width)), (max(0.0, top - height), max(0.0, top))


def _suffix(at: int) -> str:
    return "" if at == 0 else str(at + 1)
