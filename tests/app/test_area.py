"""Whatever an address says, an area lies within its text."""

import pytest
from dva_lens.app.area import WHOLE, Area, area_named, area_of


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0-8.4-6", "0-8.4-6"),
        ("007-9.0-1", "7-9.0-1"),
        ("8-8.0-1", WHOLE),
        ("9-8.0-1", WHOLE),
        ("0-1.0", WHOLE),
        ("-1-2.0-1", WHOLE),
        ("0-123456789.0-1", WHOLE),
        ("<script>", WHOLE),
        ("", WHOLE),
    ],
)
def test_an_area_is_read_or_is_the_whole(name, found):
    assert area_named(name) == found


def test_an_area_beyond_the_text_is_all_of_it():
    assert area_of("0-8.4-6", 8) == (0, 8, 4, 6)
    for name in ("0-9.4-6", "0-2.8-9", WHOLE, "nonsense"):
        assert area_of(name, 8) == (0, 8, 0, 8)


def test_a_pair_is_one_query_and_one_key():
    assert area_of("5-6.2-3", 8).is_pair
    assert not area_of("5-7.2-3", 8).is_pair


@pytest.mark.parametrize(
    ("area", "side", "found"),
    [
        (Area(50, 51, 0, 1), 20, (40, 60, 0, 20)),
        (Area(99, 100, 98, 99), 20, (80, 100, 80, 100)),
        (Area(5, 6, 5, 6), 400, (0, 100, 0, 100)),
    ],
)
def test_what_is_around_an_area_stays_within_the_text(area, side, found):
    assert area.around(side, 100) == found
