"""The page of models says what the results say; its sample runs beside the checks."""

import re
from pathlib import Path

from dva_lens.analyses.architectures import classes, verdicts
from dva_lens.analyses.pages import models

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


NOT_BUILT = "Why classes are not built"


def written():
    return PAGE.read_text(encoding="utf-8")


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
    listed = set(re.findall(r"^\| `(\w+)` \|", written(), flags=re.M))
    assert listed == {each.name for each in classes.entries()}


def figures():
    """Return the numbers of the first table, by family."""
    rows = re.findall(
        r"^\| ([a-z -]+) \| (\d+) \| (\d+) \(.*?\) \| (.*) \|$", written(), flags=re.M
    )
    return {
        name: [int(each) for each in (total, built, *rest.split(" | "))]
        for name, total, built, rest in rows
    }


def test_nearly_every_class_is_built_and_none_ends_in_an_error_of_its_own():
    found = figures()
    assert set(found) == set(classes.TABLES)
    for name, (total, built, *rest) in found.items():
        assert built >= (0.9 if name == "decoder" else 0.8) * total
        assert sum(rest) == built
        assert rest[-1] == 0, f"{name} has faults"


def reasons(title):
    """Return the reasons in one of the tables, without the part that they are of."""
    section = written().partition(f"## {title}\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (.+) \| \d+ \|$", section, flags=re.M)
    assert listed
    return {re.sub(r"^\w+: ", "", each) for row in listed for each in row.split("; ")}


def test_reasons_are_few_and_hold_no_message_of_a_library():
    refusals, absences = (set(each.values()) for each in (verdicts.REFUSALS, verdicts.ABSENCES))
    assert reasons("Why classes are refused") <= refusals
    assert reasons("Why classes are measured partly") <= refusals | absences
    unbuilt = {re.sub(r"package \w+", "package", each) for each in reasons(NOT_BUILT)}
    assert unbuilt <= {"needs the package", "not tiny at its smallest", verdicts.NO_SIZES}
