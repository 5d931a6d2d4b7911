"""The pattern of a head by level of detail: a text of 16,384 tokens, down to one pair."""

import pytest
from dva_lens.app.live.tasks import CELLS_ALONG
from small_text import small_corpus
from tabs import served

from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import build

pytestmark = pytest.mark.browser

LENGTH = 16_384
LETTERS = LENGTH - 1
"""A start token comes before letters, each of which is a token of its own."""


@pytest.fixture(scope="module")
def folder():
    """There is no archive, only a model."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    place = tmp_path_factory.mktemp("models") / "small"
    sizes = {"layers": 1, "width": 8, "heads": 1, "vocabulary": 258, "context": LENGTH}
    tokenizer = train_tokenizer(small_corpus(documents=2), 258)
    save_checkpoint(place, build(ModelConfig(**sizes), seed=0), tokenizer, {})
    with served(None, models=[str(place)]) as found:
        yield found


@pytest.fixture
def image(page):
    """The whole pattern of a long text that was run, as an image."""
    page.goto("/live")
    page.locator("#live-text").fill("".join("ab cd"[at % 5] for at in range(LETTERS)))
    page.locator("#live-run").click()
    page.wait_for_url("**/tokens**")
    page.get_by_role("button", name="Show it").click()
    page.locator(".pattern-map .hm image").wait_for()
    return page.locator(".pattern-map")


def spans(page):
    """Return from where to where queries and keys of the shown image go."""
    edges = page.locator("[data-pattern]").evaluate(
        "place => (({queries, keys}) => [queries, keys])(JSON.parse(place.dataset.pattern))"
    )
    return [(each[0], each[-1]) for each in edges]


def opened(page, area):
    """Wait until a part is shown and in the address, and nothing runs any more."""
    page.locator(f"[data-go='{area}']").wait_for(state="attached")
    page.wait_for_url(f"**area={area}**")
    page.locator("#pattern-cancel").wait_for(state="hidden")


def around(start, stop, side, length):
    """Return the positions around some, within a length."""
    first = min(max((start + stop - side) // 2, 0), length - side)
    return first, first + side


def test_a_long_text_is_looked_at_from_afar_down_to_one_pair(page, image, in_the_way):
    (first, length), _ = spans(page)
    assert first == 0
    assert length > 0.9 * LENGTH
    assert len(image.get_attribute("data-pattern")) < 500_000
    words, size = page.locator(".pattern-said"), -(-length // CELLS_ALONG)
    for press in ("ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown"):
        image.press(press)
    assert f"queries {17 * size}–{18 * size - 1} " in words.text_content()
    assert words.text_content() == page.locator(".pattern-spoken").text_content()
    queries, keys = (17 * size, 18 * size), (0, size)
    for side in (-(-length // 16), CELLS_ALONG):
        shown = [around(*each, side, length) for each in (queries, keys)]
        image.press("Enter")
        opened(page, ".".join(f"{start}-{stop}" for start, stop in shown))
        assert spans(page) == shown
        assert page.locator(".pattern-map:focus").count() == 1
        size = -(-side // CELLS_ALONG)
        at = [(sum(each) // 2 - start) // size for each, (start, _) in
              zip((queries, keys), shown, strict=True)]  # fmt: skip
        queries, keys = (
            (start + size * place, min(start + size * (place + 1), stop))
            for (start, stop), place in zip(shown, at, strict=True)
        )
    assert "weight" in words.text_content()
    page.get_by_role("button", name="Show the arithmetic").click()
    page.get_by_text("signed; the shares of all keys total 1").wait_for()
    opened(page, f"{queries[0]}-{queries[1]}.{keys[0]}-{keys[1]}")
    assert in_the_way() == []
    page.go_back()
    opened(page, ".".join(f"{start}-{stop}" for start, stop in shown))
    assert spans(page) == shown
    page.get_by_role("button", name="Whole text").click()
    opened(page, "whole")
    assert spans(page) == [(0, length), (0, length)]
