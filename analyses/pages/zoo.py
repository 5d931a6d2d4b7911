"""Which mechanisms concentrate attention, and which grow sinks: written from a study of them all.

python -m dva_lens.analyses.pages.zoo runs/zoo > docs/zoo.md
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from dva_lens.reports.page import DataTable, Points, Section
from dva_lens.reports.paper_tables import to_markdown
from dva_lens.reports.questions import answer_of_parts
from dva_lens.results.archive import Archive, open_archive

from ..order_of_mechanisms import QUESTION, report

INTRODUCTION = f"""# Mechanisms in order

{QUESTION}

Made by `dva-lens study run zoo --out runs/zoo` and `python -m dva_lens.analyses.pages.zoo
runs/zoo`: every mechanism of the package that weighs, sees or mixes tokens otherwise than standard
attention, at equal parameters, with three seeds, on a text and on a task with a known answer.
Models and trainings are small: this says what these mechanisms do at this size,
after so many steps, and nothing beyond. Orders are of means; whether two models differ is said by
the intervals and the adjusted p of the tables. `dva-lens list presets` has their sources.

Uniform attention is a yardstick and not what every mechanism gives on equal scores. `landmark` and
`combiner` weigh a past block as one key, and `decay` and `alibi` take from distant keys, so that
their entropy lies below it before anything is learned.
"""


def page(archive: Archive) -> str:
    """Return the whole page."""
    found = answer_of_parts(archive, report)
    parts = [INTRODUCTION]
    for section in found.sections:
        if section.name.endswith("answer"):
            parts += _section(section)
    return "\n".join(parts)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    for part in section.parts:
        if isinstance(part, Points):
            yield "\n".join(f"- **{name}** {said}" for name, said in part.entries) + "\n"
        elif isinstance(part, DataTable):
            yield to_markdown(part)


def main() -> None:
    """Print the page of the archive that is named."""
    sys.stdout.write(page(open_archive(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
