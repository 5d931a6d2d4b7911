"""Which classes there are: transformers' own tables of what its auto classes open."""

from dataclasses import dataclass
from typing import final

from transformers.models.auto import modeling_auto

TABLES = {
    "decoder": ("CAUSAL_LM",),
    "encoder": ("MASKED_LM",),
    "encoder-decoder": ("SEQ_TO_SEQ_CAUSAL_LM",),
    "classifier": ("SEQUENCE_CLASSIFICATION",),
    "images": ("IMAGE_CLASSIFICATION",),
    "images and text": ("IMAGE_TEXT_TO_TEXT",),
}


@final
@dataclass(frozen=True)
class Entry:
    """One class: its name, the type of its configuration, and the family it is listed under."""

    name: str
    kind: str
    family: str


def entries() -> list[Entry]:
    """Return every class of the auto mappings once, under the first family that lists it."""
    found: dict[str, Entry] = {}
    for family, tables in TABLES.items():
        for table in tables:
            names = getattr(modeling_auto, f"MODEL_FOR_{table}_MAPPING_NAMES")
            for kind, classes in names.items():
                for name in (classes,) if isinstance(classes, str) else classes:
                    found.setdefault(name, Entry(name, kind, family))
    return sorted(found.values(), key=lambda each: (list(TABLES).index(each.family), each.name))
