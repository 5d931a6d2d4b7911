"""What holds for every view, whatever it is given."""

import json
import re

import numpy as np
import pytest
import xarray as xr
from fake_edges import with_edges
from fake_key_values import with_key_values
from fakes import MODELS, fake_measurement, fake_training

from dva_lens import views
from dva_lens.views import VIEWS, View
from dva_lens.views.view import UNIFORM

HOSTILE = '<img src=x onerror="alert(1)"> & <b>bold</b>'


def measured(**changes: object) -> xr.Dataset:
    return with_edges(with_key_values(fake_measurement(keep_queries=True, **changes)))


def without_numbers() -> xr.Dataset:
    """A measurement in which nothing applies, except the tokens."""
    data = measured()
    blank = {
        name: found.copy(data=np.full(found.shape, np.nan, dtype=found.dtype))
        for name, found in data.data_vars.items()
        if "at" in found.attrs
    }
    return data.assign(blank)


def partly_blank() -> xr.Dataset:
    data = measured()
    names = [name for name, found in data.data_vars.items() if found.attrs.get("at") == "query"]
    for name in names:
        data[name][{"layer": 0}] = np.nan
    return data


def hostile() -> xr.Dataset:
    data = measured()
    data["token"] = xr.full_like(data["token"], HOSTILE)
    data = data.assign_coords(document=("sequence", [HOSTILE] * data.sizes["sequence"]))
    return data.assign_attrs(preset=HOSTILE, model=HOSTILE)


DATA = {
    "plain": measured,
    "one head": lambda: measured(heads=1),
    "shared values": lambda: measured(heads=4, kv_heads=2),
    "one layer": lambda: measured(layers=1),
    "one sequence": lambda: measured(sequences=1, length=70),
    "many documents": lambda: measured(sequences=24),
    "steps": lambda: measured(steps=(0, 10)),
    "nothing applies": without_numbers,
    "first layer blank": partly_blank,
    "hostile": hostile,
}


@pytest.fixture(params=VIEWS.values(), ids=VIEWS)
def view(request: pytest.FixtureRequest) -> View:
    return request.param


def draw(view: View, data: xr.Dataset) -> views.Figure:
    if view.of == "training":
        label = str(data.attrs["preset"])
        return view.function({label: [fake_training(seed=seed) for seed in (0, 1)]})
    return view.function(data)


@pytest.mark.parametrize("make", DATA.values(), ids=DATA)
def test_every_view_draws_every_measurement_into_valid_json(view, make):
    figure = draw(view, make())
    assert figure.data
    json.loads(figure.to_json())


def test_every_figure_says_what_it_estimates_and_on_how_many_texts(view):
    caption = draw(view, measured()).layout.meta["caption"]
    if view.of == "training":
        assert "2 trainings" in caption
    elif view.of == "queries":
        assert "64 tokens" in caption
        assert "values are exact" in caption
    else:
        assert "95 % interval for these checkpoints" in caption
        assert "6 sequences from 3 documents" in caption


def test_every_view_is_found_by_its_name_and_offered_by_the_package():
    assert [view.name for view in VIEWS.values()] == list(VIEWS)
    assert all(getattr(views, name) is view.function for name, view in VIEWS.items())
    with pytest.raises(AttributeError, match="no view 'nothing'; there are: depth_profile, "):
        views.nothing  # noqa: B018


def test_every_figure_shows_an_interval(view):
    if view.of != "measurement":
        pytest.skip("trainings and single texts have no interval, and say so")
    figure = draw(view, measured())
    bands = [trace for trace in figure.data if trace.meta == "interval"]
    whiskers = [
        trace
        for trace in figure.data
        if trace.type in ("scatter", "bar") and trace.error_y.visible
    ]
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    pointed = [trace for trace in maps if "[" in trace.text[0][0]]
    assert bands or whiskers or pointed


def test_a_single_text_gives_no_interval_and_the_figure_says_so(view):
    if view.of != "measurement":
        pytest.skip("trainings and single texts have no interval anyway")
    figure = draw(view, measured(sequences=1, length=70))
    assert "too few texts for an interval" in figure.layout.meta["caption"]
    assert not [trace for trace in figure.data if trace.meta == "interval"]


def yardsticks(figure: views.Figure) -> set[str]:
    """What a figure shows its numbers beside: dotted lines, and what its caption says is read."""
    marks = [trace for trace in figure.data if trace.type == "scatter"]
    drawn = {
        trace.name
        for trace in marks
        if trace.line.dash == "dot" and np.isfinite(np.asarray(trace.y, dtype=float)).any()
    }
    shapes = {shape.name for shape in figure.layout.shapes if shape.line.dash == "dot"}
    said = re.search(r"niform attention (reads|it is) [\d.]", figure.layout.meta["caption"])
    return drawn | shapes | ({UNIFORM} if said else set())


def without_references(data: xr.Dataset) -> xr.Dataset:
    return data.drop_vars([name for name in data if str(name).endswith("_reference")])


def test_numbers_are_drawn_beside_the_yardstick_of_their_view(view):
    assert view.against in yardsticks(draw(view, measured()))


def test_without_a_reference_no_line_is_called_uniform_attention(view):
    if view.against != UNIFORM or view.of == "queries":
        pytest.skip("its yardstick does not come from the data")
    figure = draw(view, without_references(measured()))
    assert UNIFORM not in yardsticks(figure)


def test_axes_are_named_by_the_data_with_units():
    data = measured()
    for name, found in data.data_vars.items():
        if found.attrs.get("at") not in ("query", "head", "kv_head", "layer"):
            continue
        label = views.depth_profile(data, name).layout.yaxis.title.text.replace("<br>", " ")
        assert found.attrs["long_name"] in label
        assert found.attrs["units"] == "1" or f"[{found.attrs['units']}]" in label


def test_text_from_the_data_never_becomes_markup(view):
    figure = draw(view, hostile())
    drawn = figure.to_plotly_json()
    del drawn["layout"]["meta"]
    text = json.dumps(drawn, default=lambda found: str(np.asarray(found).tolist()))
    assert "<img" not in text
    assert "<b>bold" not in text


def test_no_figure_offers_an_upload(view):
    page = draw(view, measured()).to_html(include_plotlyjs=False)
    assert '"showSendToCloud": false' in page
    assert '"displaylogo": false' in page


def test_the_shared_config_names_no_server_even_after_use():
    views.sink_curve(measured()).to_html(include_plotlyjs=False)
    assert views.CONFIG["plotlyServerURL"] == ""
    assert views.CONFIG["showSendToCloud"] is False


def test_every_figure_has_a_table_with_a_row_per_mark(view):
    rows = views.as_table(draw(view, measured()))
    assert rows
    assert all(row.keys() == rows[0].keys() for row in rows)
    json.dumps(rows, allow_nan=False)


def test_a_figure_is_the_same_for_the_same_data(view):
    assert draw(view, measured()).to_json() == draw(view, measured()).to_json()


def test_a_model_has_one_colour_in_every_figure():
    several = {model: [fake_measurement(model, seed) for seed in (0, 1)] for model in MODELS}
    colours = {model: set() for model in MODELS}
    for view in VIEWS.values():
        if view.of != "measurement":
            continue
        for trace in view.function(several).data:
            if trace.type == "scatter" and trace.legendgroup in colours:
                colour = trace.line.color or trace.marker.color
                colours[trace.legendgroup].add(colour)
    assert all(len(found - {None}) == 1 for found in colours.values())
    assert len(set.union(*(found - {None} for found in colours.values()))) == len(MODELS)


def test_a_missing_statistic_is_named_with_what_there_is(view):
    if view.of != "measurement":
        pytest.skip("drawn from other data")
    name = view.needs[0] if view.needs else "normalised_entropy"
    data = measured().drop_vars(name)
    with pytest.raises(KeyError, match=rf"holds no '{name}'.*; it holds: "):
        view.function(data) if view.needs else views.depth_profile(data, name)
