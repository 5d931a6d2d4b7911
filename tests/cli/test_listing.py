import pytest

from dva_lens.cli.listing import What
from dva_lens.models.presets import PRESETS
from dva_lens.statistics.table import STATISTICS
from dva_lens.views.table import VIEWS


@pytest.mark.parametrize("what", What)
def test_every_table_is_listed_with_a_meaning_for_every_name(call, what):
    result = call("list", what)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    entries = [line for line in lines if line.startswith(" ")] if what == "mechanisms" else lines
    assert entries
    assert all(len(line.split(maxsplit=1)) == 2 for line in entries)


@pytest.mark.parametrize(
    ("what", "table"), [("statistics", STATISTICS), ("presets", PRESETS), ("views", VIEWS)]
)
def test_names_are_those_that_commands_take(call, what, table):
    assert [line.split()[0] for line in call("list", what).stdout.splitlines()] == list(table)
