"""Links to the explorer that people have shared show what they showed."""

import pytest
from dva_lens.app.library import Library
from dva_lens.app.state import EVERY_SPAN, RENAMED, Selection

import dva_lens as lens


@pytest.fixture(scope="module")
def library(small):
    return Library(lens.open_archive(small / "small"))


def test_a_link_shows_what_it_showed(library, expected):
    assert len(expected["links"]) == 6
    for wanted in expected["links"]:
        shows = wanted["shows"]
        if "span=" not in wanted["link"]:  # once one context-length bin, now all queries
            shows = {**shows, "span": EVERY_SPAN}
        chosen = vars(Selection.from_query(wanted["link"].partition("?")[2], library.catalogue))
        for name, value in shows.items():
            assert chosen[name if name in chosen else RENAMED[name]] == value, wanted["link"]
