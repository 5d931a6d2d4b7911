"""Words become markup that says the same, and nothing in them becomes markup that was text."""

import pytest
from dash import dcc, html
from dva_lens.app.components.attributes import attributes
from dva_lens.app.components.markup import as_markup, is_plain, markup
from explorer import WORDS, fill


def test_components_become_their_markup():
    words = html.P(
        ["a ", html.Strong("b"), html.Br(), None, 3],
        className="one two",
        tabIndex="0",
        hidden=True,
        style={"--rest": "3%", "backgroundColor": "red"},
        **attributes(aria_label="said", data_choose="a=1&b=2"),
    )
    assert markup(words) == (
        '<p aria-label="said" class="one two" data-choose="a=1&amp;b=2" hidden'
        ' style="--rest:3%;background-color:red" tabindex="0">a <strong>b</strong><br>3</p>'
    )


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "a & b", "\"quoted\" 'x'", "\u202e"]
)
def test_text_stays_text(hostile):
    from html.parser import HTMLParser

    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append((tag, dict(attrs)))

        def handle_data(self, data):
            seen.append(data)

    Reader().feed(markup(html.Span(hostile, title=hostile)))
    assert seen[0] == ("span", {"title": hostile})
    assert "".join(seen[1:]) == hostile


@pytest.mark.parametrize(
    "living", [dcc.Store(id="a"), html.Button(id="b"), html.Div([html.P(dcc.Markdown("c"))])]
)
def test_what_callbacks_know_stays_a_component(living):
    words = [html.P("before"), living]
    assert as_markup(words) is words


def test_all_words_of_the_pages_become_markup(library, chosen):
    assert [name for name in WORDS if not is_plain(fill(name, library, chosen))] == []
