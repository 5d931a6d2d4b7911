"""Tokens as text that is read: nothing in them may hide, reorder or break what is beside it."""

import unicodedata

LINE_BREAK = "⏎\n"
PIECE = "\N{REPLACEMENT CHARACTER}"
"""What the decoder of a tokenizer writes for some of the bytes of a character."""
_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def visible(token: str) -> str:
    """Return a token with every character that has no shape of its own written as its code.

    A line break stays one behind a sign; characters that change the direction of writing,
    invisible ones, and bytes that are only a piece of a character are named.
    """
    return "".join(map(_visible, token))


def _visible(character: str) -> str:
    if character == "\n":
        return LINE_BREAK
    if character == PIECE:
        return "⟨byte⟩"
    if unicodedata.category(character) in _UNSEEN:
        return f"⟨U+{ord(character):04X}⟩"
    return character
