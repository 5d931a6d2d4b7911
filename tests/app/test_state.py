"""What an address may not say becomes the default, and what it says round-trips."""

from urllib.parse import urlencode

import pytest
from dva_lens.app.library import Library
from dva_lens.app.state import (
    CHANGES,
    EVERY_SPAN,
    ORDERS,
    RENAMED,
    Recording,
    Remembered,
    Selection,
    normalise_url,
)
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.compare import baseline_of

HOSTILE = (
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "1e9",
    "-1",
    "99999999999999999999",
    "nan",
    "٣",
    "²",
    "' OR 1=1 --",
    "a" * 5000,
    "",
    "__class__",
)


def test_nothing_said_is_what_is_shown_first(library, chosen):
    assert chosen.run == "transformer-0"
    assert chosen.text == "held-out"
    assert chosen.statistic == "entropy"
    assert chosen.other == "first_key_mass"
    assert chosen.span == EVERY_SPAN
    assert (chosen.layer, chosen.head, chosen.sequence) == (0, 0, 0)


def test_a_span_that_an_address_names_is_kept(library):
    assert Selection.from_query("?span=5", library.catalogue).span == 5
    assert Selection.from_query("?span=all", library.catalogue).span == EVERY_SPAN
    assert Selection.from_query("?span=99", library.catalogue).span == EVERY_SPAN


def test_what_is_written_is_read_back(library, chosen):
    other = chosen.but(
        run="transformer-1",
        text="shuffled",
        statistic="value_source_share.first",
        other="entropy",
        span=EVERY_SPAN,
        layer=3,
        head=2,
        sequence=4,
        baseline="dva",
        order="lowest",
    )
    assert Selection.from_query(other.to_query(), library.catalogue) == other
    assert Selection.from_query("?" + other.to_query(), library.catalogue) == other


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", list(Selection.__dataclass_fields__))
def test_whatever_an_address_says_is_in_the_menu(library, field, value):
    found = Selection.from_query(urlencode({field: value}), library.catalogue)
    run = library.catalogue.run(found.run)
    assert found.run in [each.name for each in library.catalogue.runs]
    assert found.text in library.catalogue.texts
    assert found.statistic in [each.name for each in library.catalogue.measures]
    assert found.other in [each.name for each in library.catalogue.measures]
    assert found.span in (*library.catalogue.spans, EVERY_SPAN)
    assert 0 <= found.layer < run.layers
    assert 0 <= found.head < run.heads
    assert 0 <= found.sequence < 8
    assert found.order in ORDERS
    assert (found.model, found.change in CHANGES) == ("", True)
    assert found.baseline in [each.model for each in library.catalogue.runs]


@pytest.mark.parametrize(
    "query", ["&".join("a=1" for _ in range(200)), "%", "?=&=;", "run=%ff%fe"]
)
def test_a_broken_query_is_the_default(library, chosen, query):
    assert Selection.from_query(query, library.catalogue) == chosen


def test_a_head_beyond_the_model_is_its_last(library):
    found = Selection.from_query("run=dva-0&layer=17&head=3", library.catalogue)
    assert (found.layer, found.head) == (3, 0)


def test_a_statistic_is_not_set_against_itself(library):
    found = Selection.from_query(
        "statistic=first_key_mass&other=first_key_mass", library.catalogue
    )
    assert found.other != found.statistic


def test_older_names_are_read_and_the_new_one_is_said(library):
    found = Selection.from_query("probe=shuffled&layer=2", library.catalogue)
    assert (found.text, found.layer) == ("shuffled", 2)
    query, notes = normalise_url("?probe=shuffled&layer=2")
    assert query == "layer=2&text=shuffled"
    assert notes == ("This address says “probe”; the parameter is now called “text”.",)
    assert normalise_url(query) == (query, ())


def test_a_newer_name_beats_an_older_one(library):
    found = Selection.from_query("probe=shuffled&text=held-out", library.catalogue)
    assert found.text == "held-out"


def test_no_field_has_an_older_name():
    assert not set(RENAMED) & set(Selection.__dataclass_fields__)
    assert set(RENAMED.values()) <= set(Selection.__dataclass_fields__)


def test_what_is_read_is_noted(chosen):
    recording = Recording(chosen)
    assert recording.run == chosen.run
    assert recording.but(layer=3).layer == 3
    assert dict(recording.read) == {"run": chosen.run}
    assert recording.but(layer=3).head == chosen.head
    assert set(recording.read) == {"run", "head"}
    assert recording.to_query() == chosen.to_query()
    assert set(recording.read) == set(Selection.__dataclass_fields__)


def test_a_result_holds_for_all_that_agree_in_what_was_read(chosen):
    calls = []

    def compute(chosen):
        calls.append(1)
        return (chosen.head, chosen.layer if chosen.head else None)

    found = Remembered(compute)
    assert found(chosen) is found(chosen.but(layer=3, run="other"))
    assert len(calls) == 1
    assert found.held(chosen.but(head=1)) is None
    assert found(chosen.but(head=1, layer=2)) == (1, 2)
    assert found(chosen.but(head=1, layer=3)) == (1, 3)
    assert found.reads == {"head", "layer"}


def test_the_oldest_result_is_forgotten(chosen):
    found = Remembered(lambda chosen: chosen.head + 1, most=2)
    for head in (0, 1, 2):
        found(chosen.but(head=head))
    assert found.held(chosen.but(head=0)) is None
    assert found.held(chosen.but(head=2)) == (3,)


def test_the_usual_baseline_is_that_of_results(tmp_path):
    archive = open_archive(fake_archive(tmp_path, models=("dva", "transformer"), seeds=1))
    chosen = Selection.from_query("", Library(archive).catalogue)
    assert (chosen.run, chosen.baseline) == ("dva-0", "transformer")
    assert chosen.baseline == baseline_of(archive.on())
