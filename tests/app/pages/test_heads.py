"""Ranks count from the largest; equal heads have none."""

import numpy as np
from dva_lens.app.downloads import numbers_of
from dva_lens.app.library import Library
from dva_lens.app.pages.heads.ranking import Rank, rank_of, ranks
from dva_lens.app.pages.heads.texts import _parts
from explorer import PARTS


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


def test_texts_of_a_head_are_those_of_results_and_from_the_whole_range(library, chosen):
    head = chosen.but(layer=2, head=3)
    rows = numbers_of(PARTS["head-texts"], library, head)[1]
    own = library.archive.values("entropy", text="held-out")
    own = own.sel(model="transformer", seed=0, layer=2, head=3).values
    assert [row["value"] for row in rows] == sorted(own.tolist(), reverse=True)
    assert all(row["value"] == own[row["sequence"]] for row in rows)
    many = [(at, "document", float(-at)) for at in range(40)]
    taken = [at for _, few in _parts(many) for at, *_ in few]
    assert taken == [0, 1, 2, 3, 4, 19, 20, 38, 39]
