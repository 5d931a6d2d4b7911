"""The numbers of every figure can be taken along."""

import csv

import pytest
from dva_lens.app.downloads import downloads

from dva_lens.results.tables import to_csv


@pytest.mark.parametrize("name", downloads())
def test_every_figure_is_served_as_csv(client, name):
    answer = client.get(f"/numbers/{name}.csv?layer=1&statistic=entropy", headers=LOCAL)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    lines = answer.get_data(as_text=True).splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows
    assert lines[0].startswith("# ")


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
