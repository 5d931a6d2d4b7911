"""The pattern of a head, called as Tokens calls it: worked out when it is asked for."""

import pytest
from dva_lens.app.layout import page_at
from dva_lens.app.live.tasks import Looking, Measuring, Tiling
from dva_lens.app.pages.tokens import pattern
from dva_lens.app.pages.tokens.image import note_of, pattern_image
from dva_lens.app.server import BENCH, close, create_app
from dva_lens.app.state import Selection
from fake_live import MODEL, ended, fake_live, leave, tiles, written


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    return leave(tmp_path_factory.mktemp("left"))


@pytest.fixture
def live(left):
    """An explorer of one model that has run a text, whose command only copies what is left."""
    app = fake_live(create_app(None, models=[MODEL]), left)
    bench = app.server.extensions[BENCH]
    bench.runner.start(Measuring(bench.models["gpt2"], "Some text."))
    bench.runner.join(200.0)
    yield app
    close(app)


def call(app, asked=None, query=""):
    """Make the call that the page makes when it appears, or when something is asked for."""
    bench = app.server.extensions[BENCH]
    query = Selection.from_query(query, bench.library.catalogue).to_query()
    (output,) = [name for name in app.callback_map if f"{pattern.VIEW}.children" in name]
    parts = [part.rsplit(".", 1) for part in output.strip(".").split("...")]
    inputs = [(pattern.AT, "data", {}), (pattern.ASKED, "data", asked)]
    inputs.append((pattern.CLOCK, "n_intervals", 0))
    body = {
        "output": output,
        "outputs": [{"id": id_, "property": property_} for id_, property_ in parts],
        "inputs": [{"id": id_, "property": name, "value": value} for id_, name, value in inputs],
        "state": [{"id": "query", "property": "data", "value": query}],
        "changedPropIds": [f"{pattern.ASKED if asked else pattern.AT}.data"],
    }
    return app.server.test_client().post("/_dash-update-component", json=body)


def shown(app, asked=None, query=""):
    answer = call(app, asked, query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["response"]


def test_nothing_is_worked_out_until_it_is_asked_for(live):
    bench = live.server.extensions[BENCH]
    number = bench.runner.job.number
    said = shown(live)
    assert "Show it" in written(said)
    assert said[pattern.CLOCK]["disabled"]
    assert bench.runner.job.number == number


def test_a_pattern_is_shown_in_cells_once_it_was_asked_for(live):
    bench = live.server.extensions[BENCH]
    said = shown(live, {"do": "show", "area": "whole"}, "layer=1&head=1")
    assert not said[pattern.CLOCK]["disabled"]
    assert not said[pattern.CANCEL]["hidden"]
    assert pattern.VIEW not in said  # what was there stays until there is something new
    ended(live)
    task = bench.runner.job.task
    assert (task.layer, task.head, task.sequence, task.area) == (1, 1, 0, None)
    assert task.text == "Some text."
    said = written(shown(live, query="layer=1&head=1"))
    for part in ("A cell is one query and one key", "The largest cells in words", "data-pattern"):
        assert part in said
    assert "read again" not in said
    assert "Show it" in written(shown(live, query="layer=1&head=0"))  # another head is another one


def test_a_part_of_one_query_and_one_key_is_its_arithmetic(live):
    query = "layer=1&area=5-6.0-1"
    said = shown(live, {"do": "show", "area": "5-6.0-1"}, query)
    ended(live)
    task = live.server.extensions[BENCH].runner.job.task
    assert isinstance(task, Looking)
    assert {**task.place} == {"layer": 1, "head": 0, "sequence": 0, "query": 5, "key": 0}
    said = written(shown(live, query=query))
    for part in ("q·k", "uniform over 6 visible keys", "Zoom out"):
        assert part in said


def test_the_command_is_given_the_part_that_is_looked_at(live, tmp_path):
    shown(live, {"do": "show", "area": "0-16.8-16"})
    ended(live)
    task = live.server.extensions[BENCH].runner.job.task
    assert isinstance(task, Tiling)
    words = task.words(tmp_path)
    for word in ("--queries=0:16", "--keys=8:16", "--whole", "--layer=0", "--sequence=0"):
        assert word in words


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("x", 400),
        ({"do": "show"}, 400),
        ({"do": "show", "area": 3}, 400),
        ({"do": "show", "area": "<script>"}, 200),
    ],
)
def test_a_malformed_call_is_refused_or_is_for_the_whole(live, asked, status):
    assert call(live, asked).status_code == status
    ended(live)


def test_without_its_checkpoint_the_page_says_how_to_get_one(folder, library, left):
    said = written(page_at(library, "/tokens", "run=dva-1"))
    assert "no checkpoint of dva-1 is at hand" in said
    app = fake_live(create_app(folder, models=[MODEL]), left)
    assert "no checkpoint of transformer-0 is at hand" in written(shown(app))
    close(app)


def test_tokens_that_were_read_again_are_compared_with_those_of_the_archive():
    assert note_of(["a", "b"], ["a", "b"]) == ""
    assert "differ from token 1 on" in note_of(["a", "c"], ["a", "b"])
    assert "into 3 tokens where the archive has 2; they differ from token 2" in note_of(
        ["a", "b", "c"], ["a", "b"]
    )


def test_hostile_tokens_stay_text_in_an_image():
    said = written(pattern_image(tiles(["<img src=x>", "\u202e", "\n"]), "mean", ""))
    assert "&lt;img" in said  # what plotly reads as markup is escaped
    assert "⟨U+202E⟩" in said
