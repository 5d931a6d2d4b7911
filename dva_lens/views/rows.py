"""The numbers of a figure as rows, for tables and for those who do not see figures."""

from typing import Any

import plotly.graph_objects as go
import xarray as xr

from dva_lens.views.figure import Drawing, Row


def as_table(shown: go.Figure | Drawing | xr.Dataset | xr.DataArray) -> list[Row]:
    """Return what a figure shows, or what labelled data hold, as rows with named columns.

    Raises
    ------
    ValueError
        If a figure does not carry its numbers, as those of `dva_lens.views` do.

    Examples
    --------
    >>> from dva_lens import open_archive, views
    >>> figure = views.depth_profile(open_archive("runs/quick").on(), "entropy")
    >>> list(as_table(figure)[0])[:5]
    ['model', 'layer', 'value', 'low', 'high']
    """
    if isinstance(shown, go.Figure):
        layout: Any = shown.layout
        return _rows_of(layout.meta)
    if isinstance(shown, dict):
        return _rows_of(shown["layout"].get("meta"))
    if isinstance(shown, xr.DataArray):
        shown = shown.to_dataset(name=shown.name or "value")
    frame = shown.to_dataframe().reset_index()
    return [{str(name): _plain(value) for name, value in row.items()} for row in _records(frame)]


def _rows_of(meta: Any) -> list[Row]:
    if not isinstance(meta, dict) or "rows" not in meta:
        raise ValueError(
            "This figure carries no numbers in `layout.meta`; pass a figure of `dva_lens.views`, "
            "or the labelled data it was drawn from."
        )
    return [dict(row) for row in meta["rows"]]


def _records(frame: Any) -> list[dict[str, Any]]:
    return frame.to_dict("records")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
