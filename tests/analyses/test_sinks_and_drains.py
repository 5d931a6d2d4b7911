"""The page about sinks and drains, from archives that hold much or little."""

from dva_lens.analyses.sinks_and_drains import QUESTION, main, report

from dva_lens.reports.page import tables_of


def test_the_answer_names_every_model(study, archive, tmp_path, capsys):
    out = tmp_path / "sinks.html"
    assert main([str(study), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert QUESTION in page
    assert all(f"<strong>{model}:</strong>" in page for model in archive.on().models)
    assert capsys.readouterr().out == f"Report: {out}\n"


def test_numbers_have_intervals_over_seeds_and_one_training_is_a_single_run(archive, single):
    assert all("[" in str(row[2]) for row in tables_of(report(archive))[0].rows)
    (row,) = tables_of(report(single))[0].rows
    assert "(single run)" in str(row[2])
    assert "[" not in str(row[2])
