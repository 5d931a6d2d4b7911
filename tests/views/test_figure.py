"""A figure that Plotly does not check is the one that it checks."""

import json

import numpy as np
from plotly.utils import PlotlyJSONEncoder

from dva_lens.views import as_table, bare
from dva_lens.views.figure import compose, drawing, plain

GIVEN = {
    "title": "A & B",
    "caption": "One <b>. " * 30,
    "rows": [{"layer": 0, "value": 0.5}],
    "layout": {"xaxis": {"title": {"text": "x"}}, "yaxis": {"title": {"text": "y"}}},
}
LINE = {
    "type": "scatter",
    "x": np.arange(3),
    "y": np.array([0.5, np.nan, np.inf]),
    "marker": {"size": np.array([1, 2, 3]), "color": "red"},
    "name": "line",
    "text": ["a", "b", "c"],
}


def in_full(figure):
    """Return a figure as JSON holds it, arrays as lists."""
    return json.loads(json.dumps(figure, cls=PlotlyJSONEncoder))


def test_plain_dictionaries_are_what_plotly_makes_of_them():
    found = plain(drawing([LINE], **GIVEN))
    (line,) = found["data"]
    assert (line["x"], line["y"], line["marker"]["size"]) == (
        [0, 1, 2],
        [0.5, None, None],
        [1, 2, 3],
    )
    checked = compose(found["data"], **GIVEN)
    assert in_full(found) == in_full(checked)
    assert as_table(found) == as_table(checked) == GIVEN["rows"]
    assert bare(found)[1:] == bare(checked)[1:]


def test_a_drawing_is_split_without_a_change():
    found = plain(drawing([LINE], **GIVEN))
    before = in_full(found)
    bare(found)
    assert in_full(found) == before
