"""Training steps through what was measured, and marks when sinks appear as results say."""

import json

import numpy as np
import pytest
from dva_lens.app.downloads import numbers_of
from dva_lens.app.library import NothingToShowError
from dva_lens.app.pages.training.scrubber import by_step, scrubber
from explorer import PARTS, fill, show
from plotly.utils import PlotlyJSONEncoder

from dva_lens.results.estimates import mean_of
from dva_lens.results.onsets import sink_onsets, sinks_by_step


def test_every_step_is_the_mean_that_results_give(library, chosen):
    values = library.archive.values("entropy", moment="every", text="held-out")
    due = mean_of(values.sel(model="transformer", seed=0), ("step", "layer", "head"))
    said = json.loads(getattr(scrubber(library, chosen), "data-scrub"))
    assert said["steps"] == due["step"].values.tolist()
    np.testing.assert_allclose(said["values"], due.values, rtol=1e-12)
    sinks = sinks_by_step(library.archive.on("held-out")).sel(run="transformer · seed 0")
    assert said["sinks"] == sinks.values.astype(int).tolist()


def test_the_map_shows_the_last_step_on_the_scale_of_all(library, chosen):
    drawing = show("training-map", library, chosen).drawing
    values, _ = by_step(library, chosen)
    axis = drawing["layout"]["coloraxis"]
    assert (axis["cmin"], axis["cmax"]) == (float(values.min()), float(values.max()))


def test_onsets_are_those_of_results(library, chosen):
    rows = numbers_of(PARTS["onsets"], library, chosen)[1]
    due = sink_onsets(library.archive.on("held-out"))
    assert [row["step"] for row in rows] == due["step"].tolist()
    text = json.dumps(fill("onsets", library, chosen), cls=PlotlyJSONEncoder)
    for model in library.archive.on("held-out").models:
        assert model in text


def test_a_statistic_without_heads_and_a_text_measured_once_are_said(library, chosen):
    with pytest.raises(NothingToShowError, match="heads do not differ"):
        by_step(library, chosen.but(statistic="importance_entropy"))
    with pytest.raises(NothingToShowError):
        by_step(library, chosen.but(text="shuffled"))
