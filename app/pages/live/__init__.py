"""Live: run a model on a text that is typed, and change one thing in it."""

from ...page import Card, Page, Words
from .beside import beside
from .callbacks import connect
from .change import change_button, change_form
from .desk import desk, results_place
from .pair import pair_button, pair_form
from .remix import remix

PAGE = Page(
    path="/live",
    name="Live",
    question="What does a model do with this text?",
    lead=(
        "Type or paste a text, choose a model, and run it on this machine. The measurement is "
        "shown on all pages, marked as live, until the explorer stops."
    ),
    menus=("model",),
    parts=(
        Card("The text", (Words("live", desk),)),
        Card(
            "Change one thing",
            (Words("live-change", change_form), Words("live-change-button", change_button)),
            menus=("change",),
        ),
        Card(
            "Look at one pair",
            (Words("live-pair", pair_form), Words("live-pair-button", pair_button)),
        ),
        Card("Start from a text of the archive", (Words("live-remix", remix),)),
        Card("Two texts side by side", (Words("live-beside", beside),)),
        Card("Run since the explorer started", (Words("live-results", results_place),)),
    ),
    connect=connect,
    needs_runs=False,
)
