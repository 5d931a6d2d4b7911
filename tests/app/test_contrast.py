"""Text of the explorer is at least 4.5 to 1 against its ground, and marks of charts 3 to 1."""

import itertools
import re
from importlib.resources import files

import pytest
from dva_lens.app.pages.heads.figures import MANY
from explorer import draw

from dva_lens.views import theme

STYLE = (files("dva_lens.app") / "assets" / "lens.css").read_text("utf-8")
THEMES = {"light": ":root {", "dark": '[data-mantine-color-scheme="dark"] {'}
TEXT = ("ink", "soft", "link", "warn")
GROUNDS = ("ground", "card", "faint", "chosen")


def colours_of(name):
    block = STYLE.split(THEMES[name], 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "text", "ground"), [*itertools.product(THEMES, TEXT, GROUNDS)])
def test_text_is_read_on_every_ground(name, text, ground):
    colours = colours_of(name)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("mark", [*theme.PALETTE, theme.OUTLINE, theme.REFERENCE])
def test_marks_are_seen_on_a_card(name, mark):
    assert contrast(mark, colours_of(name)["card"]) >= 3


def test_labels_of_points_are_read_whatever_the_colour_of_the_point():
    label = theme.layout()["hoverlabel"]
    assert contrast(label["font"]["color"], label["bgcolor"]) >= 4.5


def test_heads_of_any_colour_have_an_outline_and_whiskers_that_leave_them_visible(library, chosen):
    few = draw("head-scatter", library, chosen)["data"][0]
    assert few["marker"]["line"]["color"] == theme.OUTLINE
    assert few["marker"]["line"]["width"] >= 1
    assert MANY >= 16
    assert few["error_x"]["color"].endswith("0.45)")
