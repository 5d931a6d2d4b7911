"""The page about the residual stream finds a growth over depth that was planted."""

import numpy as np
from dva_lens.analyses.stream_by_depth import growth, report

from dva_lens.reports.page import Points, tables_of


def test_growth_is_that_of_a_line_over_the_whole_depth():
    layers = np.log(2.0) * (np.arange(4) + 0.5) / 4
    deeper = np.where(np.arange(6) < 4, np.append(layers, [np.nan, np.nan]), np.nan)
    np.testing.assert_allclose(growth(np.stack([layers, 3 * layers])), np.log([2.0, 8.0]))
    assert np.isfinite(growth(deeper[None])).all()


def test_every_model_has_a_sentence_and_a_ratio_to_the_baseline(archive):
    answer = report(archive)
    points = answer.sections[0].parts[0]
    assert isinstance(points, Points)
    assert all("from input to output" in words for _, words in points.entries)
    (table,) = tables_of(answer)
    assert table.columns[-1] == "over that of transformer"
    assert table.rows[0][-1] is None
    assert "p = " in str(table.rows[1][-1])
