"""Further parts of a study in the same report: their sections under names of their own."""

from dataclasses import replace

from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Chart, DataTable, Folded, GlossaryEntry, Part, Section
from dva_lens.reports.sections.table import SECTIONS

REPEATED = ("findings", "concentration", "sinks", "values", "training")
"""The sections that every part has; definitions and methods stand once."""


def chapters(main: Material) -> tuple[Section, ...]:
    """Return the sections of the parts of a study that were measured on texts of their own."""
    found: list[Section] = []
    for text in main.archive.main_texts:
        if text == main.text or text in main.own_texts:
            continue
        material = gather(main.archive, text)
        made = [SECTIONS[name](material) for name in REPEATED]
        found += [of_part(section, text) for section in made if section is not None]
    return tuple(found)


def of_part(section: Section, text: str) -> Section:
    """Return a section whose links, files and heading name the text."""
    return Section(
        f"{text}-{section.name}",
        f"{text}: {section.title}",
        tuple(renamed(part, text) for part in section.parts),
    )


def renamed(part: Part, first: str) -> Part:
    """Return a part whose link and file begin with a word, such as the name of a text."""
    if isinstance(part, Chart | DataTable | GlossaryEntry):
        return replace(part, name=f"{first}-{part.name}")
    if isinstance(part, Folded):
        return replace(part, parts=tuple(renamed(each, first) for each in part.parts))
    return part
