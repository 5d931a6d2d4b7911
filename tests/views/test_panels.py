from itertools import pairwise

import pytest

from dva_lens.views.panels import Panels


@pytest.mark.parametrize("count", [1, 2, 5, 15, 30, 56])
def test_panels_stay_on_the_figure_and_apart(count):
    panels = Panels(count)
    domains = [panels.axes(at, {}, {}) for at in range(count)]
    places = [tuple(tuple(axis["domain"]) for axis in each.values()) for each in domains]
    for (left, right), (bottom, top) in places:
        assert 0 <= left < right <= 1
        assert 0 <= bottom < top <= 1
    assert len(set(places)) == count


@pytest.mark.parametrize("count", [8, 56])
def test_rows_of_panels_do_not_overlap(count):
    panels = Panels(count, most_columns=1)
    heights = [panels.axes(at, {}, {}) for at in range(count)]
    spans = [next(v for k, v in each.items() if k[0] == "y")["domain"] for each in heights]
    for (bottom, _), (_, top) in pairwise(spans):
        assert top < bottom
