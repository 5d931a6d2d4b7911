import pytest
from dva_lens.app.live.texts import LONGEST, check_text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "There is no text yet"),
        (" \n", "There is no text yet"),
        ("<|endoftext|>\n", "There is no text yet"),
        (["a"], "There is no text yet"),
        ("a" * (LONGEST + 1), "at most 50,000"),
        ("a\0b", "NUL"),
        ("ab\ud800", "Character 3"),
    ],
)
def test_what_no_model_can_read_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        check_text(given)


@pytest.mark.parametrize("given", ["To be.", "<b>אב</b> \u202e x", "a\n<|endoftext|>\nb"])
def test_any_other_text_is_taken_as_it_is(given):
    assert check_text(given) == given
