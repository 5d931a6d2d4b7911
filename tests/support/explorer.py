"""The parts of the explorer's pages by name, for tests that look at one of them."""

from dva_lens.app.drawing import drawing_of, figure_of, words_of
from dva_lens.app.page import Panel, Words
from dva_lens.app.pages import parts_by_name

PARTS = parts_by_name()
PANELS = [name for name, part in PARTS.items() if isinstance(part, Panel)]
WORDS = [name for name, part in PARTS.items() if isinstance(part, Words)]


def show(name, library, chosen):
    """Draw a panel."""
    return figure_of(PARTS[name], library)(chosen)


def draw(name, library, chosen):
    """Return a panel's drawing with its marks."""
    return drawing_of(PARTS[name], library, chosen)


def fill(name, library, chosen):
    """Fill words."""
    return words_of(PARTS[name], library)(chosen)
