"""Every figure is drawn, or says in a sentence why not."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from dva_lens.app.panels import PANELS, show
from dva_lens.app.settle import settle
from dva_lens.app.slots import fill


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_is_drawn(library, chosen, name):
    shown = show(name, library, chosen)
    assert not shown.missing
    assert shown.title
    assert shown.caption
    assert shown.rows
    assert shown.drawing["data"]
    assert "title" not in shown.drawing["layout"]


@pytest.mark.parametrize("name", [name for name in PANELS if "statistic" in PANELS[name].uses])
def test_every_statistic_is_drawn_or_refused_in_a_sentence(library, chosen, name):
    for at, measure in enumerate(library.menu.measures):
        run, probe = ("transformer-1", "dva-0")[at % 2], library.menu.probes[at % 2]
        shown = show(name, library, chosen.but(statistic=measure.name, run=run, probe=probe))
        assert bool(shown.missing) != bool(shown.drawing["data"])
        assert not shown.missing or shown.missing.endswith(".")


def test_the_chosen_head_is_framed_in_the_map(library, chosen):
    shown = show("head-map", library, chosen.but(layer=2, head=1))
    (frame,) = shown.drawing["layout"]["shapes"]
    assert (frame["x0"], frame["x1"], frame["y0"], frame["y1"]) == (0.5, 1.5, 1.5, 2.5)


def test_a_ring_stands_at_the_chosen_head(library, chosen):
    chosen = chosen.but(layer=1, head=3)
    shown = show("head-scatter", library, chosen)
    heads = library.heads(chosen.run, chosen.probe, chosen.span)
    ring = shown.drawing["layout"]["shapes"][-1]
    np.testing.assert_allclose(ring["xanchor"], heads["entropy"][1, 3], rtol=1e-6)
    cloud = shown.drawing["data"][0]
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
    held = library.measurement("transformer-0", "held-out")
    value = held["entropy"].sel(layer=2, head=3, span=4).mean("sequence")
    row = next(row for row in shown.rows if row["visible_keys"] == "16-31")
    np.testing.assert_allclose(row["value"], value, rtol=1e-6)
    assert row["low"] < row["value"] < row["high"]


def test_long_titles_of_axes_wrap():
    drawing = {"layout": {"yaxis": {"title": {"text": "one two three four five six seven"}}}}
    assert "<br>" in settle(drawing, 200)["layout"]["yaxis"]["title"]["text"]


def test_text_from_the_archive_is_no_markup(library, chosen, monkeypatch):
    measure = library.menu.measure("value_drain")
    odd = replace(measure, name="value_drain", units="<b>x</b>")
    monkeypatch.setattr(type(library.menu), "measure", lambda menu, name: odd)
    shown = show("difference", library, chosen.but(statistic="value_drain"))
    assert "<b>" not in shown.drawing["layout"]["yaxis"]["title"]["text"]


def test_the_headline_says_how_every_model_was_measured(library, chosen):
    shown = str(fill("headline", library, chosen))
    assert "Special tokens" in shown
    assert shown.count("each window begins with <s>") == len({r.model for r in library.menu.runs})
    assert shown.index("Key-value cache") < shown.index("Special tokens")
