"""Formulas are set as MathML, or shown as written."""

import xml.etree.ElementTree as ElementTree

import pytest

from dva_lens.reports.mathml import formula
from dva_lens.statistics.table import STATISTICS


@pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)
def test_every_definition_is_set(statistic):
    found = formula(statistic.formula)
    assert "<math" in found
    ElementTree.fromstring(found)


@pytest.mark.parametrize(
    ("latex", "inner"),
    [
        ("x_i^2", "<msubsup><mrow><mi>x</mi></mrow><mi>i</mi><mn>2</mn></msubsup>"),
        (r"\frac{1}{N}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>N</mi></mrow></mfrac>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)
def test_pieces_are_put_together(latex, inner):
    assert inner in formula(latex)


@pytest.mark.parametrize("latex", [r"\unknown{x}", "x_", r"\mathrm", r"\mathrm{x"])
def test_what_is_not_known_is_shown_as_written(latex):
    assert formula(latex) == f'<div class="formula"><code>{latex}</code></div>'


def test_a_formula_is_no_markup():
    assert "<script" not in formula("<script>alert(1)</script>")
