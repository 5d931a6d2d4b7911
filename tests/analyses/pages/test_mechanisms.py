"""The page of mechanisms says what the tables say."""

from pathlib import Path

from dva_lens.analyses.pages import mechanisms

from dva_lens.mechanisms.tables import AXES
from dva_lens.models.presets import PRESETS

PAGE = Path(__file__).parents[3] / "docs" / "mechanisms.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == mechanisms.page(), (
        "Run `python -m dva_lens.analyses.pages.mechanisms > docs/mechanisms.md`."
    )


def test_every_variant_and_preset_has_a_row():
    page = mechanisms.page()
    for name in [kind for table in AXES.values() for kind in table] + list(PRESETS):
        assert f"| `{name}` |" in page
    assert set(mechanisms.TITLES) == set(AXES)


def test_every_variant_says_its_formula_and_source():
    assert all(each.formula and each.source for table in AXES.values() for each in table.values())
