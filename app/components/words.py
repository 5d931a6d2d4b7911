"""Single tokens as words of a sentence."""

from dva_lens.views.characters import LINE_BREAK, visible


def token_name(token: str) -> str:
    """Return a token as a sentence names it: blanks by their names, invisible signs visible."""
    return visible(token).replace(LINE_BREAK, "⏎").strip() or "space"
