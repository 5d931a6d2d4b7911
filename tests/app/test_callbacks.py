"""A changed selection redraws what depends on it, and nothing else."""

import pytest
from dash import no_update
from dva_lens.app.callbacks import marks_of, redraw, refill
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.pages.heads import spoken
from explorer import PARTS, WORDS, fill

from dva_lens.results.archive import open_archive
from dva_lens.results.reader import Measurements
from dva_lens.statistics.inference import text_interval


def test_another_head_moves_the_frame_only(library, chosen):
    page_at(library, "/heads", chosen.to_query())
    panels = [PARTS["head-map"], PARTS["head-scatter"], PARTS["depth"]]
    other = chosen.but(layer=1)
    assert all(part is no_update for part in redraw(panels[0], library, chosen, other))
    marks = marks_of(panels, library, other)
    assert set(marks) == {"head-map", "head-scatter"}
    assert marks["head-map"][-1]["y0"] == 0.5


def test_what_does_not_depend_on_it_stays(library, chosen):
    page_at(library, "/", chosen.to_query())
    parts = redraw(PARTS["depth"], library, chosen, chosen.but(head=1))
    assert all(part is no_update for part in parts)
    stays = refill(PARTS["headline"], library, chosen, chosen.but(head=1, layer=2))
    assert stays == (no_update, no_update)


def test_another_statistic_draws_anew(library, chosen):
    other = chosen.but(statistic="largest_weight")
    figure, title, *_ = redraw(PARTS["head-map"], library, chosen, other)
    assert title.startswith(library.catalogue.measure("largest_weight").long_name)
    assert figure["data"]


def test_what_was_never_drawn_is_sent_whole(folder, library, chosen):
    afresh = Library(library.archive)
    figure, *_ = redraw(PARTS["head-map"], afresh, chosen, chosen)
    assert figure["data"]


def test_all_words_are_filled_whatever_is_chosen(library, chosen):
    for name in WORDS:
        for at, measure in enumerate(library.catalogue.measures):
            run = ("transformer-0", "dva-1")[at % 2]
            assert fill(name, library, chosen.but(statistic=measure.name, run=run)) is not None


def test_the_chosen_head_is_said_aloud(library, chosen):
    name = library.catalogue.measure("entropy").long_name.lower()
    assert spoken(library, chosen.but(layer=2)).startswith(f"Layer 2, head 0: {name} ")


def test_another_head_reads_nothing_and_estimates_its_mean_alone(folder, chosen, monkeypatch):
    read, cells = [], []
    reading, estimating = Measurements._read, text_interval.ratio

    def noted(measurements, name, *rest, **named):
        read.append(name)
        return reading(measurements, name, *rest, **named)

    def counted(total, *rest, **named):
        cells.append(total[0].size)
        return estimating(total, *rest, **named)

    monkeypatch.setattr(Measurements, "_read", noted)
    monkeypatch.setattr(text_interval, "ratio", counted)
    library = Library(open_archive(folder))
    page_at(library, "/heads", chosen.to_query())
    assert read, "the page itself reads"
    assert max(cells) > 1, "and estimates all heads at once"
    read.clear()
    cells.clear()
    before, choices = chosen, [(layer, head) for layer in range(4) for head in range(4)]
    for layer, head in choices:
        other = chosen.but(layer=layer, head=head)
        for name in ("head-map", "head-spans", "head-scatter"):
            redraw(PARTS[name], library, before, other)
        for name in ("head", "numbers", "finder"):
            refill(PARTS[name], library, before, other)
        before = other
    assert read == []
    assert set(cells) <= {1}
    assert len(cells) <= len(choices)


def call(client, app, query, *, drawn, clicks=None):
    """Make the call that a browser makes when something is chosen on the page of heads."""
    panels = ("head-map", "head-spans", "head-scatter")
    words = ("meaning", "head", "numbers", "finder")
    kinds = (
        "panel",
        "title",
        "caption",
        "drawing",
        "missing",
        "table",
        "toggle",
        "markup",
        "words",
    )
    (output,) = [name for name in app.callback_map if '"panel":["ALL"]}.figure' in name]
    properties = [part.rsplit(".", 1)[1] for part in output.strip(".").split("...")]
    named = {kind: words if kind in ("markup", "words") else panels for kind in kinds}
    outputs = [
        [{"id": {kind: name}, "property": property_} for name in named[kind]]
        for kind, property_ in zip(kinds, properties, strict=False)
    ]
    single = ({"id": "spoken", "property": "children"}, {"id": "drawn", "property": "data"})
    toggles = [
        {"id": {"toggle": name}, "property": "n_clicks", "value": (clicks or {}).get(name)}
        for name in panels
    ]
    body = {
        "output": output,
        "outputs": [*outputs, *single],
        "inputs": [{"id": "query", "property": "data", "value": query}, toggles],
        "state": [{"id": "drawn", "property": "data", "value": drawn}],
        "changedPropIds": ["query.data"],
    }
    return client.post("/_dash-update-component", json=body)


def test_one_call_renews_all_that_a_choice_changes(client, app, chosen):
    query = chosen.but(layer=2, head=1).to_query()
    client.get("/")
    drawn = {"path": "/heads", "of": chosen.to_query(), "is": chosen.to_query()}
    first = call(client, app, chosen.to_query(), drawn=drawn)
    assert first.status_code == 200
    found = call(client, app, query, drawn=drawn, clicks={"head-map": 1}).get_json()["response"]
    assert found["spoken"]["children"].startswith("Layer 2, head 1")
    assert found["drawn"]["data"]["is"] == query
    assert found["drawn"]["data"]["open"] == [True, False, False]
    assert '{"table":"head-map"}' in found
    assert '{"table":"head-spans"}' not in found
    assert '{"markup":"head"}' in found
    assert '{"markup":"meaning"}' not in found


MALFORMED = (
    "{}",
    "[]",
    "null",
    "1",
    "{",
    "[" * 100_000,
    '{"output": "nowhere.children"}',
    '{"output": ["page.children"]}',
    '{"output": "page.children"}',
    '{"output": "query.data", "inputs": []}',
)


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_call_is_refused_in_one_sentence(client, body):
    answer = client.post("/_dash-update-component", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert len(answer.get_data(as_text=True).splitlines()) == 1


OPEN = {
    "output": "page.children",
    "outputs": {"id": "page", "property": "children"},
    "inputs": [{"id": "address", "property": "pathname", "value": "/"}],
    "state": [{"id": "address", "property": "search", "value": ""}],
    "changedPropIds": ["address.pathname"],
}
FORGED = {
    "an object as a path": {**OPEN, "inputs": [{**OPEN["inputs"][0], "value": {"a": 1}}]},
    "a number as a query": {**OPEN, "state": [{**OPEN["state"][0], "value": 7}]},
    "an input of another name": {**OPEN, "inputs": [{**OPEN["inputs"][0], "id": "page"}]},
    "an input that is a list": {**OPEN, "inputs": [OPEN["inputs"]]},
    "no inputs": {name: value for name, value in OPEN.items() if name != "inputs"},
    "no state": {name: value for name, value in OPEN.items() if name != "state"},
    "no outputs": {name: value for name, value in OPEN.items() if name != "outputs"},
    "changes that are no names": {**OPEN, "changedPropIds": [3]},
    "no changes but a number": {**OPEN, "changedPropIds": 3},
}


def test_a_well_formed_call_is_answered(client):
    assert client.post("/_dash-update-component", json=OPEN).status_code == 200


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_call_is_refused(client, name):
    assert client.post("/_dash-update-component", json=FORGED[name]).status_code == 400


@pytest.mark.parametrize(
    "drawn",
    [None, {}, [], {"path": "/nowhere"}, {"path": 3}, {"path": "/heads", "is": 1}]
    + [{"path": "/heads", "is": "", "open": wrong} for wrong in (3, "abc")],
)
def test_what_is_said_to_be_drawn_is_checked(client, app, chosen, drawn):
    assert call(client, app, chosen.to_query(), drawn=drawn).status_code == 400


def test_a_page_that_is_about_to_be_replaced_is_not_drawn(client, app, chosen):
    drawn = {"path": "/heads", "is": "", "open": [True]}  # of a page with another number of tables
    assert call(client, app, chosen.to_query(), drawn=drawn).status_code == 204


@pytest.mark.parametrize("clicks", ["1", 1.5, [1]])
def test_clicks_are_counted_in_whole_numbers(client, app, chosen, clicks):
    drawn = {"path": "/heads", "of": "", "is": ""}
    answer = call(client, app, "", drawn=drawn, clicks={"head-map": clicks})
    assert answer.status_code == 400


def test_a_defect_in_a_well_formed_call_is_an_error(folder, monkeypatch):
    from dva_lens.app import callbacks
    from dva_lens.app.server import create_app

    def fail(*_):
        raise KeyError("a defect")

    monkeypatch.setattr(callbacks, "page_at", fail)
    server = create_app(folder).server
    server.config["PROPAGATE_EXCEPTIONS"] = False
    answer = server.test_client().post("/_dash-update-component", json=OPEN)
    assert answer.status_code == 500
