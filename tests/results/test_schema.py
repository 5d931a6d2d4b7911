import json

import pytest
from fakes import fake_archive, fake_measurement, run_attrs

from dva_lens.results.archive import open_archive
from dva_lens.results.schema import (
    ArchiveError,
    check_measurement,
    check_run,
    statistics_of,
)
from dva_lens.statistics.table import RECORDED


@pytest.fixture
def data():
    return fake_measurement(layers=1, heads=2, sequences=2, length=8, keep_queries=True)


def test_references_and_single_queries_are_not_statistics(data):
    data["entropy_by_query"].attrs["at"] = "query"
    assert statistics_of(data) == RECORDED


def test_a_measurement_passes(data):
    check_measurement(data, "/here")
    check_measurement(fake_measurement(steps=(0, 1), layers=1, sequences=2, length=8), "/here")


def test_a_statistic_that_does_not_say_what_it_is_is_refused(data):
    del data["entropy"].attrs["units"]
    with pytest.raises(ArchiveError, match="entropy of /here lacks the attributes units"):
        check_measurement(data, "/here")


def test_a_place_that_is_unknown_is_refused(data):
    data["entropy"].attrs["at"] = "channel"
    with pytest.raises(ArchiveError, match="at 'channel'; a statistic is at query"):
        check_measurement(data, "/here")


def test_dimensions_in_another_order_are_refused(data):
    data["entropy"] = data["entropy"].transpose("head", "layer", "sequence", "span")
    with pytest.raises(ArchiveError, match="must begin with dimensions"):
        check_measurement(data, "/here")


def test_means_need_the_number_of_their_rows(data):
    with pytest.raises(ArchiveError, match="must hold `rows`"):
        check_measurement(data.drop_vars("rows"), "/here")


def test_an_empty_measurement_is_refused(data):
    with pytest.raises(ArchiveError, match="holds no statistic"):
        check_measurement(data[["rows"]], "/here")


def test_data_without_a_schema_is_refused(data):
    with pytest.raises(ArchiveError, match="says nothing of its schema"):
        check_measurement(data.drop_attrs(), "/here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": "one"}, "/runs/x must have a whole number for its attribute 'seed', got 'one'"),
        ({"seed": True}, "/runs/x must have a whole number for its attribute 'seed', got true"),
        ({"label": 3}, "/runs/x must have text for its attribute 'label', got 3"),
        ({"loss": "low"}, "/runs/x must have a number or null for its attribute 'loss'"),
        ({"order": None}, "/runs/x must have a whole number for its attribute 'order', got noth"),
        ({"texts": "held-out"}, "/runs/x must have a list of names of texts .* got 'held-out'"),
        ({"texts": []}, "/runs/x names no text for its attribute 'texts'"),
        ({"texts": ["../.."]}, "/runs/x must have a list of names of texts"),
        ({"texts": ["training"]}, "/runs/x must have a list of names of texts"),
    ],
)
def test_a_run_says_what_it_is_in_the_right_types(change, message):
    attrs = {**run_attrs("dva", 0, order=1, heads=2), "schema": 2, "texts": ["held-out"]}
    check_run(attrs, "/runs/x")
    check_run({**attrs, "loss": None, "parameters": 1.5}, "/runs/x")
    with pytest.raises(ArchiveError, match=message):
        check_run({**attrs, **change}, "/runs/x")


def test_a_statistic_that_does_not_say_what_it_is_leaves_its_run_out(tmp_path):
    archive = open_archive(fake_archive(tmp_path, ("transformer", "dva"), seeds=1))
    run = archive.runs[0]
    about = run.group / "held-out" / "entropy" / "zarr.json"
    said = json.loads(about.read_text())
    del said["attributes"]["formula"]
    about.write_text(json.dumps(said))
    measured = open_archive(tmp_path).on("held-out")
    assert [part.label for part in measured.parts] == ["dva-0"]
    assert "entropy of /runs/" in measured.left_out[0]
    assert "lacks the attributes formula" in measured.left_out[0]
