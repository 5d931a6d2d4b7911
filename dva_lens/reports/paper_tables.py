"""Tables for papers and notes: LaTeX with booktabs, and Markdown, with the cells of the page."""

import re
import unicodedata
from typing import Any

from dva_lens.reports.cells import columns_of, rows_of
from dva_lens.reports.page import DataTable

ON_ONE_PAGE = 45
"""Rows of a LaTeX table that stays in one piece."""
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after \\ a bracket would be read as a length
    "−": "$-$",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "²": "$^2$",
    "\xa0": "~",
}
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+)")
# Letters without a command of their own look like Latin ones.
_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))


def to_latex(table: DataTable) -> str:
    r"""Return a table as LaTeX, to be read by `\input` into a document that uses booktabs.

    Numbers stand to the right. A table of more than `ON_ONE_PAGE` rows is a longtable, which
    breaks across pages and stands outside a float. Nothing in a cell is read as a command.
    """
    columns = columns_of(table)
    long = len(table.rows) > ON_ONE_PAGE
    name = "longtable" if long else "tabular"
    packages = "booktabs,longtable" if long else "booktabs"
    head = " & ".join(latex_text(column.name) for column in columns)
    lines = [
        f"% {_one_line(table.title)}",
        f"% {_one_line(table.caption)}" if table.caption else None,
        f"% needs \\usepackage{{{packages}}}",
        f"\\begin{{{name}}}{{{''.join('r' if each.is_number else 'l' for each in columns)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        r"\endhead" if long else None,
        *(rf"{_row(row)} \\" for row in rows_of(table)),
        r"\bottomrule",
        f"\\end{{{name}}}",
    ]
    return "".join(f"{line}\n" for line in lines if line is not None)


def to_markdown(table: DataTable) -> str:
    """Return a table as Markdown with its title and caption; numbers stand to the right."""
    columns = columns_of(table)
    rule = ["---:" if column.is_number else "---" for column in columns]
    rows = [[_markdown(cell) for _, cell in row] for row in rows_of(table)]
    lines = [[_markdown(column.name) for column in columns], rule, *rows]
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    caption = f"\n{_markdown(table.caption)}\n" if table.caption else ""
    return f"**{_markdown(table.title)}**\n\n{body}{caption}"


def latex_text(text: str) -> str:
    """Return text that LaTeX sets letter by letter, whatever stands in it."""
    return "".join(map(_latex, " ".join(text.split())))


def _row(cells: Any) -> str:
    return " & ".join(latex_text(cell) for _, cell in cells)


def _latex(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii():
        return character
    if character in _LATIN:
        return f"${_LATIN[character]}$"
    if greek := _GREEK.fullmatch(unicodedata.name(character, "")):
        name = greek[2].lower().replace("lamda", "lambda")
        return f"$\\{name.capitalize() if greek[1] == 'CAPITAL' else name}$"
    if unicodedata.category(character)[0] in "LMN":
        return character
    return f"U+{ord(character):04X}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", _one_line(text))
