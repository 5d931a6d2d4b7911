"""The page of models says what the results say; its sample runs beside the checks."""

import re
from pathlib import Path

from dva_lens.analyses.architectures.classes import entries
from dva_lens.analyses.pages import models

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


def result(name, family="decoder", **more):
    plain = {"stage": "measured", "worst": 1e-15, "where": "gini", "missing": {}, "form": "text"}
    plain |= {"unverified": [], "refused": {}, "attending": 2, "layers": 2}
    return {"name": name, "family": family} | plain | more


def test_figures_count_what_the_tables_list():
    refused = {"stage": "measuring", "error": "TypeError", "message": "they hold no attention"}
    page = models.page([result("One"), result("Two", **refused), result("Three", worst=1.0)])
    assert "| decoder | 3 | 3 (100%) | 1 | 0 | 1 | 1 |" in page
    assert "| `Two` | refused |  |  | no layer holds an attention" in page
    assert "gini is off by 1" in page


def test_the_page_lists_every_class():
    page = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.M))
    assert listed == {each.name for each in entries()}
