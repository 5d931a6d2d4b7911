"""A text is typed, run, followed, and looked at; a change stands beside its control."""

import pytest
from dva_lens.app.pages.live import names
from fake_live import fake_live, leave
from fakes import fake_archive
from tabs import said, served

pytestmark = pytest.mark.browser

TEXT = 'To be <img src=x onerror="document.title=1"> \u202eor\nnot to be.'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("archive"), ("transformer",), 1, edges=True)


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    left = leave(tmp_path_factory.mktemp("left"))
    with served(folder, lambda app: fake_live(app, left)) as found:
        yield found


def test_a_typed_text_is_run_and_looked_at_and_is_still_there_at_hand_on_return(page, visit):
    visit("/live")
    page.locator("#live-run").click()
    page.get_by_text("There is no text yet").wait_for()
    box = page.locator("#live-text")
    box.fill(TEXT)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/tokens**")
    page.locator(".chip, .chips-note").first.wait_for()
    assert (said(page)["run"], said(page)["text"]) == ("gpt2 · live 1", "live-1")
    assert said(page)["layer"] == "1"  # where the first key gets most
    page.locator("[data-headmove]").press("ArrowUp")  # the sizes of a new run are known
    page.wait_for_url("**layer=0**")
    page.go_back()
    page.wait_for_url("**layer=1**")
    page.go_back()
    page.get_by_role("link", name="gpt2 · live 1", exact=True).wait_for()
    assert box.input_value() == TEXT
    assert page.get_by_role("link", name="live 2").count() == 0  # coming back runs nothing


def shows_what_was_run(response):
    """Say whether an answer puts what was run before on the page, which moves what is below."""
    return names.RESULTS in (response.request.post_data or "")


def test_a_change_is_chosen_made_and_shown_token_by_token(page, visit):
    with page.expect_response(shows_what_was_run):
        visit("/live")
    box = page.get_by_label("Text", exact=True)
    box.fill("Some text.")
    page.get_by_role("textbox", name="What to change").click()
    page.get_by_role("option", name="drop head").click()
    page.wait_for_url("**change=drop-head**")
    page.get_by_role("button", name="Make the change").click()
    page.get_by_text("loss is higher than with its control").wait_for()
    page.get_by_text("Token by token").click()
    page.locator(".live-tokens .raised", has_text="⟨U+202E⟩").wait_for()
    page.get_by_role("button", name="Look at this pair").click()
    page.get_by_text("uniform over 6 visible keys").wait_for()
    page.get_by_role("button", name="Add another text").click()
    assert box.input_value() == "Some text.\n<|endoftext|>\n"
    page.get_by_role("button", name="Start from it: sequence 1").click()
    page.wait_for_function("document.getElementById('live-text').value.length > 100")
    assert page.title() == "Live · dva-lens"
