"""An archive of schema 1 opens, and every number in it is read as it was."""

import csv

import pytest
from typer.testing import CliRunner

from dva_lens.cli.entry import app

TEXT = ("text", "probe")
"""The column of a table that names the evaluation text: today's name, and the former one."""


def tell(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def rows_of(file):
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def tables(small, tmp_path_factory):
    """The tables that `export` writes."""
    out = tmp_path_factory.mktemp("export")
    tell("export", small / "small", "--out", out)
    return out


def test_every_run_is_listed_under_its_key(tables, expected):
    rows = rows_of(tables / "runs.csv")
    assert {row["label"]: row["key"] for row in rows} == expected["small_keys"]


def test_every_number_is_exported_as_it_was(tables, expected):
    measures = {name for wanted in expected["small"].values() for name in wanted}
    assert len(measures) == 17
    for measure in measures:
        found = {}
        for row in rows_of(tables / f"{measure}.csv"):
            column = next(name for name in TEXT if name in row)
            found.setdefault(f"{row['run']}/{row[column]}", []).append(float(row["value"]))
        for place, wanted in expected["small"].items():
            values = found.get(place, [])
            assert len(values) == wanted[measure]["count"], (measure, place)
            mean = sum(values) / len(values)
            assert mean == pytest.approx(wanted[measure]["mean"], rel=1e-6, abs=1e-9)


def test_models_differ_by_what_they_differed_by(small, tmp_path, expected):
    names = dict.fromkeys(row["statistic"] for row in expected["contrasts"])
    options = [word for name in names for word in ("--statistic", name)]
    tell("compare", small / "small", "--baseline", "transformer", *options, "--out", tmp_path)
    found = {
        (row["statistic"], row["contrast"], row["model"], row["estimand"]): float(row["mean"])
        for row in rows_of(tmp_path / "contrasts.csv")
    }
    assert len(expected["contrasts"]) == 12
    for row in expected["contrasts"]:
        place = (row["statistic"], row["contrast"], row["model"], row["estimand"])
        assert found[place] == pytest.approx(row["mean"], rel=1e-5, abs=1e-9)


def test_a_plan_is_judged_as_it_was(small, expected):
    plan = small / "plan.yaml"
    said = tell("compare", small / "small", "--baseline", "transformer", "--plan", plan)
    claims = [line.split() for line in said.partition("\nClaims")[2].splitlines()]
    answers = [words[0] for words in claims if words[0:1] and words[0] in ANSWERS]
    assert answers == expected["verdicts"]


ANSWERS = ("supported", "refuted", "undecided")


@pytest.mark.parametrize("flag", ["--probe"])
def test_the_former_name_of_an_option_is_understood(small, tmp_path, flag):
    folder, page = small / "small", tmp_path / "report.html"
    tell("compare", folder, "--baseline", "transformer", flag, "shuffled")
    tell("report", folder, "--out", page, flag, "shuffled")
    assert "shuffled" in page.read_text(encoding="utf-8")
