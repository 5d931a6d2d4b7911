"""The page about onsets, from trainings that were measured as they were trained."""

from dva_lens.analyses.onsets import report

from dva_lens.reports.page import Points, tables_of


def test_every_model_has_a_sentence_and_steps_over_seeds(archive):
    answer = report(archive)
    points = answer.sections[0].parts[0]
    assert isinstance(points, Points)
    assert [about for about, _ in points.entries] == [f"{m}:" for m in archive.on().models]
    (table,) = tables_of(answer)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["with a sink at last"] == 3
    assert "[" in str(row["sink at step"])
    assert "0, 10, 40 and 160" in str(answer.sections[1].parts[0])
