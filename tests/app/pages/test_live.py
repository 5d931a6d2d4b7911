"""Live, called as its page calls it: what is run is one of the models offered, on a typed text."""

import json

import dash_mantine_components as dmc
import pytest
from dva_lens.app import workbench
from dva_lens.app.catalogue import NO_MODELS
from dva_lens.app.drawing import words_of
from dva_lens.app.layout import page_at
from dva_lens.app.page import Words
from dva_lens.app.pages.live import names
from dva_lens.app.pages.live.change import change_button, change_form, fields, values_of
from dva_lens.app.pages.live.effect import _losses, verdict
from dva_lens.app.pages.live.pair import pair_form
from dva_lens.app.server import BENCH, close, create_app
from dva_lens.app.state import CHANGES, EVERY_SPAN, Selection
from fake_live import MODEL, ended, fake_live, leave, written

from dva_lens.diagnostics.interventions.values import NAME

BUTTONS = (names.RUN, names.CHANGE, names.LOOK, names.CANCEL)
PLACE = {"layer": "1", "head": "0", "query": "5", "key": "0"}
TEXT = "Some <b>text</b> \u202e."


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    return leave(tmp_path_factory.mktemp("left"))


@pytest.fixture
def live(folder, left):
    """An explorer of the archive and one named model, whose command only copies what is left."""
    app = fake_live(create_app(folder, models=[MODEL]), left)
    yield app
    close(app)


def act(
    app, pressed="", *, text=TEXT, mine=None, query=None, change=None, given=None, place=PLACE
):
    """Make the call that the page makes when a button is pressed, or when it appears."""
    bench = app.server.extensions[BENCH]
    query = Selection.from_query(query or "", bench.library.catalogue).to_query()
    chosen = Selection.from_query(query, bench.library.catalogue)
    (output,) = [name for name in app.callback_map if f"{names.STATE}.children" in name]
    parts = [part.rsplit(".", 1) for part in output.strip(".").split("...")]
    inputs = [
        {"id": one, "property": "n_clicks", "value": 1 if one == pressed else None}
        for one in BUTTONS
    ]
    inputs.append({"id": names.CLOCK, "property": "n_intervals", "value": 0})
    held = given or {name: str(value) for name, value in fields(chosen).items()}
    held = {NAME: change or chosen.change, **held}
    typed = [
        {"id": {names.FIELD: name}, "property": "value", "value": v} for name, v in held.items()
    ]
    body = {
        "output": output,
        "outputs": [{"id": id_, "property": property_} for id_, property_ in parts],
        "inputs": inputs,
        "state": [
            {"id": names.TEXT, "property": "value", "value": text},
            typed,
            [
                {"id": {names.PLACE: name}, "property": "value", "value": value}
                for name, value in place.items()
            ],
            {"id": "query", "property": "data", "value": query},
            {"id": names.MINE, "property": "data", "value": mine},
        ],
        "changedPropIds": [f"{pressed or one}.n_clicks" for one in BUTTONS],
    }
    answer = app.server.test_client().post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["response"]


def test_a_run_joins_all_pages_and_who_began_it_is_led_to_its_text(live):
    bench = live.server.extensions[BENCH]
    before = bench.library
    said = act(live, names.RUN)
    assert said[names.MINE]["data"] == 1
    assert not said[names.CANCEL]["disabled"]
    ended(live)
    other_tab = act(live)
    assert "request" not in other_tab
    said = act(live, mine=1)
    choose = said["request"]["data"]["choose"]
    assert choose["path"] == "/tokens"
    assert (choose["run"], choose["text"]) == ("gpt2 · live 1", "live-1")
    assert "gpt2 · live 1" in [run[0] for run in json.loads(said["index"]["data-index"])["runs"]]
    assert said[names.MINE]["data"] is None
    assert said[names.CLOCK]["disabled"]
    assert len(bench.library.catalogue.runs) == len(before.catalogue.runs) + 1
    page = written(page_at(bench.library, "/tokens", f"run={choose['run']}&text=live-1"))
    assert "where it looks" in page
    listed = written(said[names.RESULTS]["children"])
    assert "<b>" in listed  # as text of a component, never as markup
    assert "⟨U+202E⟩" in listed
    masses = bench.library.by_head(choose["run"], "live-1", "first_key_mass", EVERY_SPAN)
    assert float(masses[choose["layer"], choose["head"]]) == float(masses.max())


def test_runs_of_one_text_are_on_one_text_and_the_head_stays(live):
    bench = live.server.extensions[BENCH]
    for number, text in enumerate((TEXT, TEXT, "Another."), start=1):
        query = "run=gpt2 · live 1&layer=1&head=1" if number > 1 else ""
        act(live, names.RUN, text=text, query=query)
        ended(live)
        choose = act(live, mine=number, query=query)["request"]["data"]["choose"]
        assert choose["text"] == f"live-{1 if text == TEXT else 3}"
        assert number == 1 or (choose["layer"], choose["head"]) == (1, 1)
    assert bench.library.catalogue.texts[-2:] == ("live-1", "live-3")
    assert bench.library.as_measured("live-1").models == ("gpt2 · live 1", "gpt2 · live 2")


def test_the_oldest_measurement_makes_room(live, monkeypatch):
    bench = live.server.extensions[BENCH]
    monkeypatch.setattr(workbench, "MOST", 1)
    for number in range(2):
        act(live, names.RUN, text=f"Text {number}.")
        ended(live)
    assert [run.name for run in bench.library.catalogue.runs[-2:]] == ["dva-1", "gpt2 · live 2"]
    text = written(page_at(bench.library, "/tokens", "run=gpt2 · live 1"))
    assert "live run 1, which is not here any more" in text


def test_a_page_that_appears_runs_nothing(live):
    said = act(live)
    assert said[names.CLOCK]["disabled"]
    assert live.server.extensions[BENCH].runner.job is None


@pytest.mark.parametrize("text", [None, "", " ", "a\0b"])
def test_a_text_that_cannot_be_run_is_said(live, text):
    said = written(act(live, names.RUN, text=text)[names.STATE]["children"])
    assert "There is no text yet" in said or "NUL" in said
    assert live.server.extensions[BENCH].runner.job is None


def test_a_change_is_shown_beside_its_control(live):
    given = {"layer": "1", "head": "0"}
    said = act(live, names.CHANGE, change="drop-head", given=given)
    assert said[names.MINE]["data"] == 1
    ended(live)
    said = act(live, mine=1)
    assert "request" not in said
    listed = written(said[names.RESULTS]["children"])
    for part in ("Drop head in gpt2", "Its control", "0.125 – 0.375", "loss is higher than with"):
        assert part in listed


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        ("drop-head", {"layer": "x", "head": "0"}, "layer"),
        ("drop-head", {"layer": "1", "head": ""}, "head"),
        ("drop-head", {"layer": "-1", "head": "0"}, "0 or more"),
        ("temperature", {"layer": "1", "head": "0", "temperature": "0"}, "above 0"),
        ("remove-sink", {"layer": "1", "head": "0", "by": "--out=/etc"}, "mask"),
        ("--out=/etc", {"layer": "1"}, "There is no change"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(live, change, given, said):
    found = act(live, names.CHANGE, change=change, given=given)
    assert said in written(found[names.STATE]["children"])
    assert live.server.extensions[BENCH].runner.job is None


def test_a_pair_is_shown_step_by_step(live):
    act(live, names.LOOK)
    ended(live)
    listed = written(act(live)[names.RESULTS]["children"])
    for part in ("One pair in gpt2", "looks at", "q·k", "uniform over 6 visible keys", "⟨U+202E⟩"):
        assert part in listed
    said = Selection.from_query("layer=1&head=2&token=9", live_catalogue(live))
    form = written(pair_form(live.server.extensions[BENCH].library, said))
    values = [each["props"]["value"] for each in inputs_of(json.loads(form))]
    assert values == ["1", "2", "9", "0"]


@pytest.mark.parametrize("value", ["", "-1", "1.5", "x", "9" * 12, None, "--out=/etc"])
def test_a_pair_is_named_by_whole_numbers(live, value):
    found = act(live, names.LOOK, place={**PLACE, "query": value})
    assert "The query must be a whole number" in written(found[names.STATE]["children"])
    assert live.server.extensions[BENCH].runner.job is None


def live_catalogue(app):
    return app.server.extensions[BENCH].library.catalogue


def inputs_of(part):
    """Yield the fields within components, as JSON holds them."""
    if isinstance(part, list):
        for each in part:
            yield from inputs_of(each)
    elif isinstance(part, dict):
        if part.get("type") == "Input":
            yield part
        yield from inputs_of(part.get("props", {}).get("children"))


@pytest.mark.parametrize("change", CHANGES)
def test_the_form_of_every_change_makes_it_as_the_command_line_does(library, change):
    chosen = Selection.from_query(f"change={change}&layer=1&head=2&token=3", library.catalogue)
    given = {name: "" if value is None else str(value) for name, value in fields(chosen).items()}
    found = values_of(change, given)
    assert found["layer"] == 1
    assert found.get("head", 2) == 2
    assert found.get("key", 3) == 3


def test_what_is_made_is_what_the_form_was_of_though_the_menu_says_another_by_now(live):
    said = act(live, names.CHANGE, query="change=temperature", change="drop-head")
    assert "Drop head in gpt2" in written(said[names.STATE]["children"])
    ended(live)


def test_the_button_stays_while_another_change_is_chosen(live):
    library = live.server.extensions[BENCH].library
    first, second = (
        words_of(Words("live-change-button", change_button), library)(
            Selection.from_query(f"change={change}&layer={layer}", library.catalogue)
        )
        for layer, change in enumerate(("drop-head", "temperature"))
    )
    assert first is second


def test_a_field_of_words_is_a_menu_of_them(live):
    library = live.server.extensions[BENCH].library
    for change, offered in (("remove-sink", ["mask", "value"]), ("swap-values", ["all", "query"])):
        form = change_form(library, Selection.from_query(f"change={change}", library.catalogue))
        menus = [each for each in form._traverse() if isinstance(each, dmc.Select)]
        assert [menu.data for menu in menus] == [offered]
        assert menus[0].value in offered


def test_no_address_names_a_model_that_is_not_offered(live):
    catalogue = live.server.extensions[BENCH].library.catalogue
    for name in ("../../etc", "/etc/passwd", "someone/else", "<script>"):
        assert Selection.from_query(f"model={name}", catalogue).model == "gpt2"
    act(live, names.RUN, query="model=/etc/passwd")
    task = live.server.extensions[BENCH].runner.job.task
    assert task.model.place == "openai/gpt2"
    ended(live)


def test_a_loss_belongs_to_the_token_that_is_predicted(left):
    (sequence,) = json.loads((left / "effects.json").read_text())["sequences"]
    assert _losses(sequence) == [None, 0.5, -0.25]


def test_a_link_to_a_live_run_that_is_gone_says_so(library):
    text = written(page_at(library, "/live", "run=gpt2 · live 7&text=live-7"))
    assert "live run 7, which is not here any more" in text
    assert "not here any more" not in written(page_at(library, "/live", "run=gpt3"))


def test_an_archive_without_checkpoints_says_what_live_needs(library):
    assert NO_MODELS in written(page_at(library, "/live", ""))


def test_without_an_archive_live_is_all_there_is_until_a_text_was_run(left):
    app = fake_live(create_app(None, models=[MODEL]), left)
    bench = app.server.extensions[BENCH]
    client = app.server.test_client()
    try:
        assert client.get("/").headers["Location"] == "/live"
        assert client.get("/numbers/depth.csv").status_code == 404
        for path in ("/", "/heads", "/tokens", "/compare", "/about"):
            assert "nothing has been measured yet" in written(page_at(bench.library, path, ""))
        assert names.RUN in written(page_at(bench.library, "/live", "?run=x&layer=9"))
        act(app, names.RUN)
        ended(app)
        assert client.get("/").status_code == 200
        for path in ("/", "/compare", "/training"):
            assert "nothing has been measured" not in written(page_at(bench.library, path, ""))
    finally:
        close(app)


def test_one_of_several_processes_runs_nothing(folder):
    app = create_app(folder, models=["gpt2"], several=True)
    library = app.server.extensions[BENCH].library
    assert "without --workers" in written(page_at(library, "/live", ""))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (None, None, "one text has no interval"),
        (0.1, 0.2, "higher than with its control"),
        (-0.2, -0.1, "lower than with its control"),
        (-0.1, 0.1, "does not differ detectably"),
    ],
)
def test_a_verdict_is_that_of_the_difference(low, high, said):
    assert said in verdict({"difference": {"mean": 0.0, "low": low, "high": high}})
