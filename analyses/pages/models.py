"""Which models of transformers are measured, and how exactly: each built tiny and compared.

python -m dva_lens.analyses.pages.models docs/models.md

It takes about a second for each class, and goes on where it was when it is started again.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
import transformers

from dva_lens.writing import write_text

from ..architectures import children, classes
from ..architectures.comparison import EXACT
from ..architectures.verdicts import (
    EXACTLY,
    FAULT,
    NOT_BUILT,
    PARTLY,
    REFUSED,
    Result,
    verdict,
)

INTRODUCTION = """# Models

Made by `python -m dva_lens.analyses.pages.models docs/models.md` with transformers {version}.

Every class that transformers' auto classes open is built tiny, with random weights and sharp
attention, from its configuration alone, and measured in float64. The same model then attends with
its own eager attention, and every statistic is computed again from its patterns, its values and
its output projection.

- **exactly**: every statistic agrees to {exact:g}, relative where a number is above one.
- **partly**: so do all that there are; the others are NaN for the reason given.
- **refused**: the model is not measured, and the refusal says why.

A loss where no next token is predicted, attention in layers without any, and distances between
places in two texts are nobody's to measure and do not count.

A model with an encoder and a decoder is measured in three parts, each over two pairs of texts:
the encoder, the decoder, and the cross-attention between them. The layers of all three are
counted. Where a part is refused and another is not, the class is measured partly.
"""
VERDICTS = (EXACTLY, PARTLY, REFUSED, FAULT)
Judged = tuple[Result, str, str]


def page(results: Sequence[Result]) -> str:
    """Return the whole page from the results of all classes."""
    judged = [(each, *verdict(each)) for each in results]
    parts = [INTRODUCTION.format(version=transformers.__version__, exact=EXACT), _figures(judged)]
    parts += [
        _counted("Why classes are refused", judged, REFUSED),
        _counted("Why classes are measured partly", judged, PARTLY),
        _counted("Why classes are not built", judged, NOT_BUILT),
    ]
    parts += [_family(name, judged) for name in classes.TABLES]
    return "\n".join(part for part in parts if part)


def _figures(judged: Sequence[Judged]) -> str:
    rows = []
    for name in classes.TABLES:
        found = Counter(what for result, what, _ in judged if result["family"] == name)
        total, built = found.total(), found.total() - found[NOT_BUILT]
        if total:
            share = f"{built} ({built / total:.0%})"
            rows.append((name, str(total), share, *(str(found[each]) for each in VERDICTS)))
    return _table(("family", "classes", "built", *VERDICTS), rows)


def _counted(title: str, judged: Sequence[Judged], what: str) -> str:
    found = Counter(reason for _, each, reason in judged if each == what)
    if not found:
        return ""
    rows = [(reason, str(count)) for reason, count in found.most_common()]
    return f"## {title}\n\n{_table(('reason', 'classes'), rows)}"


def _family(name: str, judged: Iterable[Judged]) -> str:
    rows = [
        (f"`{result['name']}`", what, _error(result), _layers(result), reason)
        for result, what, reason in judged
        if result["family"] == name
    ]
    heads = ("class", "measured", "largest error", "layers that attend", "note")
    return f"## {name.capitalize()}\n\n{_table(heads, rows)}" if rows else ""


def _error(result: Result) -> str:
    return f"{result['worst']:.0e}" if result["stage"] == "measured" else ""


def _layers(result: Result) -> str:
    measured = result["stage"] == "measured"
    return f"{result['attending']} of {result['layers']}" if measured else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(each)} |\n" for each in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every class that has no result yet, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m dva_lens.analyses.pages.models")
    parser.add_argument("page", type=Path, help="the file to write")
    parser.add_argument("--family", choices=tuple(classes.TABLES), help="only this one")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chosen = [each for each in classes.entries() if given.family in (None, each.family)]
    cache = given.page.with_name(f".{given.page.stem}.json")
    results = children.results(chosen, cache, _say)
    write_text(given.page, page(results))
    cache.unlink(missing_ok=True)
    return 0


def _say(result: Mapping[str, object]) -> None:
    what, reason = verdict(result)
    sys.stderr.write(f"{result['name']}: {what}{': ' if reason else ''}{reason}\n")


if __name__ == "__main__":
    sys.exit(main())
