"""Colours that everybody can tell apart, on paper and in the dark."""

from itertools import combinations

import numpy as np
import pytest

from dva_lens.views import theme

# Machado, Oliveira and Fernandes 2009, full severity; rows map linear RGB to what is seen.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "protanopia": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
    "tritanopia": np.array(
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]
    ),
}
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.950]])
PAPERS = {"light": "#ffffff", "dark": "#14171c"}


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.0888])
    root = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def contrast(one: str, other: str) -> float:
    dark, light = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION.values(), ids=VISION)
def test_models_are_told_apart_by_every_eye(vision):
    seen = [lab(vision @ linear(colour)) for colour in theme.PALETTE]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 15
    main = seen[:4]
    assert min(np.linalg.norm(one - other) for one, other in combinations(main, 2)) > 25


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_lines_are_seen_on_light_and_on_dark(paper):
    assert all(contrast(colour, paper) >= 3 for colour in theme.PALETTE)


def test_unknown_models_get_free_places_and_known_ones_keep_theirs():
    look = theme.looks(["mine", "transformer", "yours", "dva"])
    assert look["transformer"].colour == theme.PALETTE[0]
    assert look["dva"].colour == theme.PALETTE[2]
    assert len({each.colour for each in look.values()}) == 4
    assert {each.dash for each in look.values()} == {"solid"}
    assert theme.looks(["yours", "mine", "dva", "transformer"]) == look


def test_a_training_alone_has_the_colour_of_its_model():
    for model in ("dva", "mine"):
        assert theme.looks([f"{model}-3"])[f"{model}-3"] == theme.looks([model])[model]
    assert len(set(theme.looks(["dva-0", "dva-1", "dva"]).values())) == 3


def test_no_two_of_many_models_look_alike():
    names = ["transformer", "dva", *(f"model-{number}" for number in range(30))]
    look = theme.looks(names)
    assert len(set(look.values())) == len(names)
    for line in ("dash", "symbol"):  # a reader of a print without colours, or of points alone
        shared = {(each.colour, getattr(each, line)) for each in look.values()}
        assert len(shared) == len(names)
    assert look["dva"].dash == "solid"


def test_text_is_shown_letter_by_letter():
    assert theme.escape("<br>\n&") == "&lt;br&gt;⏎&amp;"
