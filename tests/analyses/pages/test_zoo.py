"""The order of mechanisms as a page of the documentation."""

from dva_lens.analyses.order_of_mechanisms import report
from dva_lens.analyses.pages.zoo import page
from fakes import fake_archive

from dva_lens.reports.page import tables_of
from dva_lens.results.archive import open_archive

MODELS = ("transformer", "uniform", "decay", "alibi", "gated")


def test_the_page_holds_the_answer_and_its_tables(tmp_path):
    archive = open_archive(fake_archive(tmp_path, MODELS, seeds=2))
    written = page(archive)
    for table in tables_of(report(archive)):
        assert f"**{table.title}**" in written
        for row in table.rows:
            assert f"| {row[0]} | {row[1]} |" in written
    assert "- **Most concentrated:** " in written
    assert "## Definitions" not in written
