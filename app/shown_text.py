"""A text that a run was measured on, and how addresses name it."""

from typing import NamedTuple, final

from .catalogue import Catalogue

NO_TEXT = "none"


@final
class ShownText(NamedTuple):
    """One sequence of a text, as one run was measured on it."""

    run: str
    text: str
    sequence: int

    def __str__(self) -> str:
        """Return it as addresses name it: `0 of live-2, gpt2 · live 2`."""
        return f"{self.sequence} of {self.text}, {self.run}"

    @property
    def title(self) -> str:
        """Return it as a heading says it."""
        return f"{self.run}: {self.text}, text {self.sequence}"


def shown_text(name: str, catalogue: Catalogue, sequences: int) -> ShownText | None:
    """Return the text of a name, one of the first `sequences` of any run, or None."""
    number, _, rest = name.partition(" of ")
    if not (number.isascii() and number.isdecimal() and len(number) < 4):
        return None
    for run in catalogue.runs:
        for text in run.texts:
            if rest == f"{text}, {run.name}" and int(number) < sequences:
                return ShownText(run.name, text, int(number))
    return None
