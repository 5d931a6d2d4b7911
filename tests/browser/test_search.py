"""Whatever can be shown is found by typing, by keys alone; keys are listed; waiting is shown."""

import re
from urllib.parse import urlsplit

import pytest
from fakes import fake_archive
from tabs import said

pytestmark = pytest.mark.browser

CALLS = re.compile("_dash-update-component")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    return fake_archive(folder, ("transformer", "resformer-identity"), 1, edges=True)


@pytest.fixture
def look_for(page):
    """Open search by a key, type, and return what is found, the chosen one first."""

    def typed(words, key="Control+k"):
        page.keyboard.press(key)
        page.get_by_role("combobox", name="Search").wait_for()
        page.keyboard.type(words)
        page.wait_for_function(
            "words => document.querySelector('.search input').value === words", arg=words
        )
        return [
            tuple(option.locator("span").all_text_contents()[:2])
            for option in page.get_by_role("option").all()
        ]

    return typed


def test_heads_pages_models_statistics_and_tokens_are_found_by_keys_alone(page, visit, look_for):
    visit("/?run=resformer-identity-0")
    found = look_for("l2h3")
    assert found[:2] == [("Head", "L2H3"), ("Head", "L2H3")], "of the chosen model, then of others"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".inspector h2", has_text="L2H3").wait_for()
    page.wait_for_url("**/?*run=transformer-0*")
    assert (said(page)["layer"], said(page)["head"]) == ("2", "3")

    assert look_for("tokens", "/") == [("Page", "Tokens")]
    page.keyboard.press("Enter")
    page.locator(".chip").first.wait_for()
    word = page.locator(".shaded .token").nth(20).text_content().strip("\n⏎")
    found = look_for(word.strip() or word)
    assert ("Token", word) in found
    assert ("Model", "transformer-0") in look_for("llama")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert ("Statistic", "Effective number of keys") in look_for("effective keys")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tokens*statistic=effective_keys*")
    assert urlsplit(page.url).path == "/tokens"


def test_nothing_found_is_said_and_a_slash_in_a_field_is_a_slash(page, visit, look_for):
    visit("/")
    assert look_for("<b>/ no such thing") == []
    page.get_by_text("Nothing is called so.").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("textbox", name="Statistic", exact=True).press("/")
    assert page.get_by_role("dialog").count() == 0


def test_the_keys_are_listed(page, visit):
    visit("/about")
    page.locator("#page").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").get_by_text("this list").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")


def test_an_answer_that_takes_long_is_waited_for_and_a_lost_one_is_said(page, visit, tab):
    visit("/training?layer=0&head=0")
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    held = []
    page.route(CALLS, lambda route: held.append(route))
    page.locator("#inspector").focus()
    page.keyboard.press("ArrowDown")
    page.locator("html.waiting").wait_for()
    held[0].continue_()
    page.locator("html:not(.waiting)").wait_for()
    page.locator(".inspector h2", has_text="L1H0").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator("html.waiting").wait_for()
    held[1].abort()
    page.get_by_text("does not answer").wait_for()
    page.unroute(CALLS)
    tab[2].clear()  # what was cut off here is said in the console too
