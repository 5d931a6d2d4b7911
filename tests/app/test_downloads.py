"""The numbers of every figure can be taken along."""

import csv

import pytest
from dva_lens.app.downloads import downloads
from dva_lens.app.server import create_app
from fakes import fake_archive

from dva_lens.results.tables import to_csv

OF_MIXED_VALUES = "value-sources"
OF_VALUES_PER_QUERY = "one-key"


@pytest.mark.parametrize("name", [name for name in downloads() if name != OF_MIXED_VALUES])
def test_every_figure_is_served_as_csv(client, name):
    run = "dva-0" if name == OF_VALUES_PER_QUERY else "transformer-0"
    answer = client.get(f"/numbers/{name}.csv?run={run}&layer=1&statistic=entropy", headers=LOCAL)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    lines = answer.get_data(as_text=True).splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows
    assert lines[0].startswith("# ")


def test_sources_of_values_are_served_of_a_model_that_mixes_them(tmp_path):
    folder = fake_archive(tmp_path, models=("transformer", "resformer"), seeds=1)
    client = create_app(folder).server.test_client()
    place = f"/numbers/{OF_MIXED_VALUES}.csv?run="
    assert client.get(f"{place}resformer-0", headers=LOCAL).status_code == 200
    answer = client.get(f"{place}transformer-0", headers=LOCAL)
    assert answer.status_code == 404
    assert "choose a model with a value residual" in answer.get_data(as_text=True)


def test_an_unknown_figure_is_not_there(client):
    answer = client.get("/numbers/passwd.csv", headers=LOCAL)
    assert answer.status_code == 404
    assert "head-map" in answer.get_data(as_text=True)


def test_what_cannot_be_drawn_is_said(client):
    answer = client.get("/numbers/tokens.csv?statistic=value_drain", headers=LOCAL)
    assert answer.status_code == 404
    assert "not kept for single tokens" in answer.get_data(as_text=True)


def test_no_cell_is_taken_for_a_formula():
    text = to_csv(["token", "value"], [["=1+1", -2.0], [None, 1]], "a\nb")
    assert text == "# a b\ntoken,value\n'=1+1,-2.0\n,1\n"


LOCAL = {"Host": "localhost"}
