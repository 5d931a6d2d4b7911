"""What an address may not say becomes the default, and what it says round-trips."""

from urllib.parse import urlencode

import pytest
from dva_lens.app.selection import EVERY_SPAN, ORDERS, Selection

HOSTILE = (
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "1e9",
    "-1",
    "99999999999999999999",
    "nan",
    "٣",
    "²",
    "' OR 1=1 --",
    "a" * 5000,
    "",
    "__class__",
)


def test_nothing_said_is_what_is_shown_first(library, chosen):
    assert chosen.run == "transformer-0"
    assert chosen.probe == "held-out"
    assert chosen.statistic == "entropy"
    assert chosen.other == "first_key_mass"
    assert chosen.span == 5
    assert (chosen.layer, chosen.head, chosen.sequence) == (0, 0, 0)


def test_what_is_written_is_read_back(library, chosen):
    other = chosen.but(
        run="transformer-1",
        probe="shuffled",
        statistic="value_source_share.first",
        other="entropy",
        span=EVERY_SPAN,
        layer=3,
        head=2,
        sequence=4,
        baseline="dva",
        order="lowest",
    )
    assert Selection.from_query(other.to_query(), library.menu) == other
    assert Selection.from_query("?" + other.to_query(), library.menu) == other


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", list(Selection.__dataclass_fields__))
def test_whatever_an_address_says_is_in_the_menu(library, field, value):
    found = Selection.from_query(urlencode({field: value}), library.menu)
    run = library.menu.run(found.run)
    assert found.run in [each.name for each in library.menu.runs]
    assert found.probe in library.menu.probes
    assert found.statistic in [each.name for each in library.menu.measures]
    assert found.other in [each.name for each in library.menu.measures]
    assert found.span in (*library.menu.spans, EVERY_SPAN)
    assert 0 <= found.layer < run.layers
    assert 0 <= found.head < run.heads
    assert 0 <= found.sequence < 8
    assert found.order in ORDERS
    assert found.baseline in [each.model for each in library.menu.runs]


@pytest.mark.parametrize(
    "query", ["&".join("a=1" for _ in range(200)), "%", "?=&=;", "run=%ff%fe"]
)
def test_a_broken_query_is_the_default(library, chosen, query):
    assert Selection.from_query(query, library.menu) == chosen


def test_a_head_beyond_the_model_is_its_last(library):
    found = Selection.from_query("run=dva-0&layer=17&head=3", library.menu)
    assert (found.layer, found.head) == (3, 0)


def test_a_statistic_is_not_set_against_itself(library):
    found = Selection.from_query("statistic=first_key_mass&other=first_key_mass", library.menu)
    assert found.other != found.statistic
