import pytest

from dva_lens.cli.listing import What
from dva_lens.models.presets import PRESETS, named
from dva_lens.models.size import Size
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
    names = [line.split()[0] for line in call("list", what).stdout.splitlines()]
    assert names[: len(table)] == list(table)


def test_the_names_of_the_grid_are_explained_below_the_presets(call):
    size = Size(layers=2, width=32, heads=2, vocabulary=9, context=8)
    lines = call("list", "presets").stdout.splitlines()[len(PRESETS) :]
    form, more, example, word = (line.split()[0] for line in lines)
    assert (form, more) == ("Hh-FED-FORM-SOURCE", "FED:")
    assert named([example], size) == (example,)
    assert example in named([word], size)
