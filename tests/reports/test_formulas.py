"""Formulas are set as MathML, or shown as written."""

import xml.etree.ElementTree as ElementTree

import pytest

from dva_lens.reports.formulas import formula
from dva_lens.statistics.table import STATISTICS


@pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)
def test_every_definition_is_set(statistic):
    found = formula(statistic.formula)
    assert "<math" in found
    ElementTree.fromstring(found)


@pytest.mark.parametrize(
    ("latex", "inner"),
    [
        ("x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"\frac{1}{N}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>N</mi></mrow></mfrac>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"\log x", '<mo lspace="0.1em" rspace="0.12em">log</mo><mi>x</mi>'),
        (r"\mathbb{1}", "<mn>𝟙</mn>"),
        (r"\text{<b>&amp;}", "<mtext>&lt;b&gt;&amp;</mtext>"),
    ],
)
def test_formulas_are_set_for_browsers(latex, inner):
    assert inner in formula(latex)


@pytest.mark.parametrize(
    "latex",
    [
        r"\unknown{x}",
        "x_",
        r"\mathrm",
        r"\frac{1}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{color:red}{x}",
        "{" * 3000,
        "",
    ],
)
def test_what_is_not_understood_is_shown_as_written(latex):
    assert formula(latex) == f'<div class="formula"><code>{latex}</code></div>'


def test_a_formula_is_no_markup():
    assert "<script" not in formula("<script>alert(1)</script>")
