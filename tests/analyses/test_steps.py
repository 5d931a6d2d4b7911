"""What value residuals and direct value attention change, where it was planted what they do."""

import pytest
from dva_lens.analyses import dva_ladder, value_residuals

from dva_lens.reports.page import Points, tables_of
from dva_lens.results.schema import ArchiveError


def sentences(answer):
    (points,) = answer.sections[0].parts
    assert isinstance(points, Points)
    return dict(points.entries)


def test_value_residuals_are_seen_in_where_values_come_from(models):
    answer = value_residuals.report(models)
    (words,) = sentences(answer).values()
    assert words.startswith("value source own → first-layer-mix (first 0.5).")
    (table,) = tables_of(answer)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    share = next(
        row
        for row in rows
        if row["statistic"] == "Where the value comes from" and row["over depth"] == "middle half"
    )
    assert str(share["retrained"]).startswith(("0.39", "0.4"))
    assert str(share["verdict"]) == "higher"


def test_direct_value_attention_is_dynamic(models):
    said = sentences(dva_ladder.report(models))
    (words,) = said.values()
    assert list(said) == ["dva against transformer:"]
    assert "heads several → one, feed-forward with → none, value form static → pairwise" in words
    before, after = words.split("After adjustment")
    assert "dynamism of values (middle half) 0." in before
    assert "dynamism of values (middle half)" in after
    assert "next-token loss" not in words


@pytest.mark.parametrize("question", [value_residuals, dva_ladder])
def test_an_archive_without_such_models_says_so(question, single):
    with pytest.raises(ArchiveError, match="holds no two models that differ only in"):
        question.report(single)
