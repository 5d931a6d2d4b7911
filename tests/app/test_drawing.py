"""Every figure is drawn, or says in a sentence why not."""

import base64
import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from dva_lens.app.drawing import figure_of, words_of, wrap_titles
from dva_lens.app.library import Library, NothingToShowError
from dva_lens.app.page import Panel, Words, single_parts
from dva_lens.app.pages import NAMES, PAGES
from explorer import PANELS, PARTS, WORDS, draw, fill, show
from plotly.utils import PlotlyJSONEncoder

from dva_lens.results.schema import ArchiveError

OF_SOME_MODELS = ("value-sources", "one-key")
"""Figures of value residuals and of values per query, which other models have no use for: see
pages/test_values.py."""


@pytest.mark.parametrize("name", [name for name in PANELS if name not in OF_SOME_MODELS])
def test_every_panel_is_drawn(library, chosen, name):
    shown = show(name, library, chosen)
    assert not shown.missing
    assert shown.title
    assert shown.caption
    assert shown.rows
    assert shown.drawing["data"]
    assert "title" not in shown.drawing["layout"]


@pytest.mark.parametrize("name", PANELS)
def test_every_statistic_is_drawn_or_refused_in_a_sentence(library, chosen, name):
    for at, measure in enumerate(library.catalogue.measures):
        run, text = ("transformer-1", "dva-0")[at % 2], library.catalogue.texts[at % 2]
        shown = show(name, library, chosen.but(statistic=measure.name, run=run, text=text))
        assert bool(shown.missing) != bool(shown.drawing["data"])
        assert not shown.missing or shown.missing.endswith(".")


def test_the_chosen_head_is_framed_in_the_map(library, chosen):
    drawing = draw("head-map", library, chosen.but(layer=2, head=1))
    (frame,) = drawing["layout"]["shapes"]
    assert (frame["x0"], frame["x1"], frame["y0"], frame["y1"]) == (0.5, 1.5, 1.5, 2.5)


def test_a_ring_stands_at_the_chosen_head(library, chosen):
    chosen = chosen.but(layer=1, head=3)
    drawing = draw("head-scatter", library, chosen)
    heads = library.by_head(chosen.run, chosen.text, "entropy", chosen.span)
    ring = drawing["layout"]["shapes"][-1]
    np.testing.assert_allclose(ring["xanchor"], heads[1, 3], rtol=1e-6)
    cloud = drawing["data"][0]
    at = list(cloud["customdata"]).index({"layer": 1, "head": 3})
    point = [np.frombuffer(base64.b64decode(cloud[axis]["bdata"]))[at] for axis in "xy"]
    np.testing.assert_allclose(point, [ring["xanchor"], ring["yanchor"]], rtol=1e-5)


def test_points_by_depth_lead_to_heads(library, chosen):
    shown = show("depth", library, chosen)
    lines = [trace for trace in shown.drawing["data"] if trace.get("customdata") is not None]
    assert len(lines) == 2
    assert lines[1]["customdata"][3] == {"path": "/heads", "run": "dva-0", "layer": 3}


def test_a_head_profile_is_of_that_head(library, chosen):
    shown = show("head-spans", library, chosen.but(layer=2, head=3))
    (part,) = library.of_run("transformer-0", "held-out").parts
    value = part.data["entropy"].sel(layer=2, head=3, span=4).mean("sequence")
    row = next(row for row in shown.rows if row["visible_keys"] == "16-31")
    np.testing.assert_allclose(row["value"], value, rtol=1e-6)
    assert row["low"] < row["value"] < row["high"]


@pytest.mark.parametrize("name", ["entropy", "top_key_drain"])
def test_a_head_profile_is_one_that_plotly_takes(library, chosen, name):
    shown = show("head-spans", library, chosen.but(layer=2, head=3, statistic=name))
    assert go.Figure(shown.drawing).data
    assert not shown.missing


def test_long_titles_of_axes_wrap():
    drawing = {"layout": {"yaxis": {"title": {"text": "one two three four five six seven"}}}}
    assert "<br>" in wrap_titles(drawing, 200)["layout"]["yaxis"]["title"]["text"]


def test_text_from_the_archive_is_no_markup(library, chosen, monkeypatch):
    measure = library.catalogue.measure("value_drain")
    odd = replace(measure, name="value_drain", units="<b>x</b>")
    monkeypatch.setattr(type(library.catalogue), "measure", lambda catalogue, name: odd)
    shown = show("difference", Library(library.archive), chosen.but(statistic="value_drain"))
    assert "<b>" not in shown.drawing["layout"]["yaxis"]["title"]["text"]


def test_the_headline_says_how_every_model_was_measured(library, chosen):
    shown = str(fill("headline", library, chosen))
    assert "Special tokens" in shown
    assert shown.count("each window begins with <s>") == len(
        {r.model for r in library.catalogue.runs}
    )
    assert shown.index("Key-value cache") < shown.index("Special tokens")


def test_parts_of_one_name_are_one_part():
    found = {}
    for page in PAGES.values():
        for part in single_parts(page.parts):
            assert found.setdefault(part.name, part) is part
    assert len(PAGES) == len(NAMES)


@pytest.mark.parametrize("defect", [KeyError("entropy"), ValueError("shapes"), TypeError("None")])
def test_a_defect_is_raised_and_not_taken_for_nothing_to_show(library, chosen, defect):
    def fail(library, chosen):
        raise defect

    with pytest.raises(type(defect)):
        figure_of(Panel("broken", "Broken", fail), library)(chosen)
    with pytest.raises(type(defect)):
        words_of(Words("broken", fail), library)(chosen)


@pytest.mark.parametrize("reason", [NothingToShowError("No run."), ArchiveError("Half written.")])
def test_what_there_is_not_is_said_in_a_sentence(library, chosen, reason):
    def refuse(library, chosen):
        raise reason

    assert figure_of(Panel("empty", "Empty", refuse), library)(chosen).missing == str(reason)
    assert words_of(Words("empty", refuse), library)(chosen).children == str(reason)


FIELD_VALUES = {
    "run": "dva-1",
    "text": "shuffled",
    "statistic": "first_key_mass",
    "other": "largest_weight",
    "span": 3,
    "layer": 2,
    "head": 1,
    "sequence": 3,
    "baseline": "dva",
    "order": "lowest",
}


@pytest.mark.parametrize("name", [*PANELS, *WORDS])
def test_what_a_part_shows_changes_only_with_what_it_read(library, chosen, name):
    part = PARTS[name]
    remembered = (figure_of if isinstance(part, Panel) else words_of)(part, library)
    first = remembered(chosen)
    for field, value in FIELD_VALUES.items():
        other = chosen.but(**{field: value})
        afresh = remembered.compute(other)
        assert written(remembered(other)) == written(afresh), field
        if remembered(other) is first:
            assert written(afresh) == written(first), field


def written(shown):
    found = vars(shown) if hasattr(shown, "drawing") else shown
    return json.dumps(found, cls=PlotlyJSONEncoder)
