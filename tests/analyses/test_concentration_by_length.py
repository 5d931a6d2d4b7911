"""The page about length says how many keys are attended to as more are visible."""

from dva_lens.analyses.concentration_by_length import report

from dva_lens.reports.page import Points, tables_of


def test_models_have_exponents_and_differences_over_seeds(archive):
    answer = report(archive)
    points = answer.sections[0].parts[0]
    assert isinstance(points, Points)
    assert all("with twice the keys to see" in words for _, words in points.entries)
    (table,) = tables_of(answer)
    first, second, *_ = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert first["keys attended to, minus transformer"] is None
    assert "p = " in str(second["keys attended to, minus transformer"])


def test_a_single_run_has_no_difference(single):
    (table,) = tables_of(report(single))
    assert "(single run)" in str(table.rows[0][1])
    assert table.rows[0][2] is None
