"""Mechanisms in order, from a study of several models."""

import pytest
from dva_lens.analyses.order_of_mechanisms import QUESTION, main, report
from fakes import fake_archive

from dva_lens.reports.page import tables_of
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError

MODELS = ("transformer", "uniform", "decay", "alibi", "gated")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("several"), MODELS, seeds=3)


def number(cell):
    return float(str(cell).split(" ")[0].replace("−", "-"))


def test_every_order_ranks_every_model_by_its_number(several):
    concentration, sinks, drain = tables_of(report(open_archive(several)))
    for table, down in ((concentration, 1), (sinks, -1), (drain, 1)):
        assert sorted(row[1] for row in table.rows) == sorted(MODELS)
        assert [row[0] for row in table.rows] == [1, 2, 3, 4, 5]
        numbers = [down * number(row[2 if table is not drain else 3]) for row in table.rows]
        assert numbers == sorted(numbers)
        assert all("[" in str(row[2]) for row in table.rows)
        at = table.columns.index("minus transformer")
        assert all("p " in str(row[at]) for row in table.rows if row[1] != "transformer")


def test_the_page_names_the_ends_of_every_order(several, tmp_path, capsys):
    out = tmp_path / "order.html"
    assert main([str(several), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert QUESTION in page
    first = tables_of(report(open_archive(several)))[0].rows[0][1]
    assert f"<strong>Most concentrated:</strong> {first}," in page
    assert capsys.readouterr().out == f"Report: {out}\n"


def test_few_models_make_no_order(archive):
    with pytest.raises(ArchiveError, match=r"needs at least 5 models, and .* holds 3"):
        report(archive)
