"""Tables as LaTeX and Markdown: the cells of the page, and nothing in them is a command."""

import re

import pytest

from dva_lens.reports.files import write_figures
from dva_lens.reports.page import DataTable, Report, Section
from dva_lens.reports.paper_tables import ON_ONE_PAGE, latex_text, to_latex, to_markdown

TABLE = DataTable(
    "differences",
    "Differences at 95 %",
    ("model_name", "change [nat]"),
    (("dva & λ_1", -0.25), ("100% | plain", None)),
    "Means\nover texts.",
)


def test_latex_has_the_cells_of_the_page_between_rules():
    assert to_latex(TABLE).splitlines() == [
        "% Differences at 95 %",
        "% Means over texts.",
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"model\_name & change {[}nat] \\",
        r"\midrule",
        r"dva \& $\lambda$\_1 & $-$0.2500 \\",
        r"100\% \textbar{} plain & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_markdown_has_them_too():
    assert to_markdown(TABLE).splitlines() == [
        "**Differences at 95 %**",
        "",
        r"| model\_name | change \[nat\] |",
        "| --- | ---: |",
        r"| dva & λ\_1 | −0.2500 |",
        r"| 100% \| plain | – |",
        "",
        "Means over texts.",
    ]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("a\n\nb % c", r"a b \% c"),
        ("$x^2$ ~ #1", r"\$x\textasciicircum{}2\$ \textasciitilde{} \#1"),
        ("Δλ ≥ −1 × 10²", r"$\Delta$$\lambda$ $\geq$ $-$1 $\times$ 10$^2$"),
        ("Αο é 中", "$A$$o$ é 中"),
        ("\u202e⏎", "U+202EU+23CE"),
    ],
)
def test_nothing_in_a_cell_is_a_command(text, due):
    assert latex_text(text) == due
    assert not re.search(r"\\input", latex_text(text))


def test_a_long_table_breaks_across_pages():
    rows = tuple((f"model {at}", 0.5) for at in range(ON_ONE_PAGE + 1))
    text = to_latex(DataTable("long", "Long", ("model", "value"), rows))
    assert text.count("longtable") == 3
    assert "\\midrule\n\\endhead\n" in text


def test_every_table_is_written_beside_the_figures(tmp_path):
    report = Report("Report", "", (), (Section("numbers", "Numbers", (TABLE,)),))
    names = {path.name for path in write_figures(report, tmp_path)}
    assert names == {"differences.csv", "differences.tex", "differences.md"}
