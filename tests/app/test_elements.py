"""Elements are those that Dash's constructors make, and wrong ones are refused as Dash refuses."""

import dash.html
import pytest
from dva_lens.app.components.elements import html

GIVEN = {"className": "a", "title": "b", "data-held": "c", "aria-label": "d", "hidden": True}


@pytest.mark.parametrize("name", dash.html.__all__)
def test_an_element_is_what_the_constructor_makes(name):
    ours, theirs = getattr(html, name), getattr(dash.html, name)
    assert isinstance(ours(), theirs)
    for given in ({}, GIVEN, {**GIVEN, "id": {"panel": "map"}}):
        one, other = ours(["text"], **given), theirs(["text"], **given)
        assert one.to_plotly_json() == other.to_plotly_json()
        assert vars(one) == vars(other)


def test_elements_share_nothing_that_changes():
    one, other = html.Div("one", title="here"), html.Div("other")
    one.children = "changed"
    assert (other.children, getattr(other, "title", None)) == ("other", None)


@pytest.mark.parametrize("given", [{"colour": "red"}, {"id": 3}, {"data": "x"}])
def test_what_no_element_has_is_refused(given):
    with pytest.raises(TypeError):
        html.Div("text", **given)
