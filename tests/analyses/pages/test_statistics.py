"""The reference page says what the table says."""

from pathlib import Path

from dva_lens.analyses.pages import statistics

import dva_lens
from dva_lens.statistics.table import STATISTICS

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == statistics.page(), (
        "Run `python -m dva_lens.analyses.pages.statistics > docs/statistics.md`."
    )


def test_every_statistic_has_a_section_with_an_example_or_a_reason():
    page = statistics.page()
    for entry in STATISTICS.values():
        assert f"### {entry.long_name}\n" in page
        assert statistics.example(entry) in page
        assert "nan" not in statistics.example(entry)


def test_every_function_on_models_is_offered_by_the_package():
    for each in statistics.ON_MODELS:
        assert getattr(dva_lens, each.__name__) is each
