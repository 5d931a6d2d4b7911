"""Ranks count from the largest; equal heads have none."""

import numpy as np
from dva_lens.app.library import Library
from dva_lens.app.pages.heads.ranking import Rank, rank_of, ranks


def test_ranks_follow_values(library, chosen):
    measure = library.catalogue.measure("entropy")
    found = ranks(library, chosen, measure)
    values = library.by_head(chosen.run, chosen.text, "entropy", chosen.span).values
    assert [rank.place for rank in found] == list(range(1, 17))
    assert found[0].value == values.max()
    assert values[found[-1].layer, found[-1].head] == values.min()


def test_the_chosen_head_is_found(library, chosen):
    measure = library.catalogue.measure("entropy")
    rank = rank_of(library, chosen.but(layer=3, head=2), measure)
    assert (rank.layer, rank.head, rank.of) == (3, 2, 16)
    heads = library.by_head(chosen.run, chosen.text, "entropy", chosen.span).values
    assert rank.place == (heads > heads[3, 2]).sum() + 1


def test_equal_heads_have_no_rank(library, chosen):
    rank = rank_of(library, chosen, library.catalogue.measure("dynamism"))
    assert rank.level
    assert rank.value == 0


def test_what_does_not_apply_has_no_rank(library, chosen, monkeypatch):
    heads = library.by_head(chosen.run, chosen.text, "entropy", chosen.span)
    library = Library(library.archive)
    monkeypatch.setattr(library, "by_head", lambda *_: heads * np.nan)
    assert rank_of(library, chosen, library.catalogue.measure("entropy")) is None


def test_places_are_said_in_words():
    said = [Rank(0, 0, 1.0, place, 30).ordinal for place in (1, 2, 3, 4, 11, 21, 22, 30)]
    assert said == [
        "highest",
        "2nd highest",
        "3rd highest",
        "4th highest",
        "11th highest",
        "21st highest",
        "22nd highest",
        "lowest",
    ]
