"""A text is shaded by the numbers of its own tokens, and its words are no markup."""

import numpy as np
import xarray as xr
from dva_lens.app.pages.tokens.text import MOST_TOKENS, shaded_text, tokens_of

from dva_lens.views.places import Places


def words_of(shown):
    return shown.children[0].children


def test_every_token_has_its_number(library, chosen):
    tokens, values = tokens_of(library, chosen.but(sequence=5, layer=2))
    held = library.display("transformer-0", "held-out")
    assert len(tokens) == int(held["length"][5]) == 59
    expected = held["entropy_by_query"].sel(shown=5, layer=2).mean("head").values[:59]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_the_largest_is_the_darkest(library):
    measure = library.catalogue.measure("entropy")
    words = words_of(shaded_text(["a", "b", "c"], np.array([0.0, 2.0, 1.0]), measure, 0))
    assert [word.children for word in words] == ["a", "b", "c"]
    assert words[1].style == {"--rest": "62%"}
    assert words[0].style == {"--rest": "0%"}
    assert words[2].title == "token 2: 1.00"


def test_odd_tokens_stay_text(library):
    measure = library.catalogue.measure("entropy")
    odd = ["<script>", "\n", ""]
    words = words_of(shaded_text(odd, np.array([1.0, np.nan, 1.0]), measure, 0))
    assert words[0].children == "<script>"
    assert words[1].style == {}


def test_patches_of_an_image_stand_where_they_are_in_it(library):
    measure = library.catalogue.measure("entropy")
    run = xr.Dataset(attrs={"patch_rows": 2, "patch_columns": 3, "patch_first": 1})
    names = ["extra 0", "0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]
    shown = shaded_text(names, np.arange(7.0), measure, 0, Places.of(run, 7))
    assert (shown.children[0].className, shown.children[0].style) == (
        "shaded patches",
        {"--columns": 3},
    )
    places = [(word.style["gridRow"], word.style["gridColumn"]) for word in words_of(shown)]
    assert places == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3)]
    assert words_of(shown)[6].title == "token 6 (1,2): 6.00"


def test_a_long_text_is_cut_and_says_so(library):
    measure = library.catalogue.measure("entropy")
    tokens = ["x"] * (MOST_TOKENS + 5)
    shown = shaded_text(tokens, np.ones(len(tokens)), measure, 0)
    assert len(words_of(shown)) == MOST_TOKENS
    assert f"The first {MOST_TOKENS:,} of {MOST_TOKENS + 5:,} tokens" in shown.children[1].children
