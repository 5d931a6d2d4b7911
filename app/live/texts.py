"""What may be typed: some text, of a bounded length, that can be written to a file."""

import re
from collections.abc import Sequence
from typing import Any

from dva_lens.data.documents import SEPARATOR

LONGEST = 50_000
"""Characters: some ten thousand tokens, of which all pages stay quick."""


_SPECIAL = re.compile(r"<[^<>\s]+>")
"""What start tokens look like: `<s>`, `<|endoftext|>`."""


def text_of(tokens: Sequence[str]) -> str:
    """Return the text of tokens without the start token, which a tokenizer adds again."""
    first, *rest = tokens
    return "".join(rest if _SPECIAL.fullmatch(first) else tokens)


def check_text(given: Any) -> str:
    """Return what was typed, if a model can be run on it.

    Raises
    ------
    ValueError
        It is empty, too long, or holds what is no text; the message says which.
    """
    if not isinstance(given, str) or not given.replace(SEPARATOR, "").strip():
        raise ValueError("There is no text yet: type or paste some.")
    if len(given) > LONGEST:
        raise ValueError(
            f"The text has {len(given):,} characters, and Live takes at most {LONGEST:,}; shorten "
            f"it, or measure it with `dva-lens measure` and explore the archive."
        )
    if "\0" in given:
        raise ValueError("The text holds NUL characters, which no tokenizer reads; remove them.")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Character {error.start + 1} of the text is half of a surrogate pair, which no file "
            f"can hold; remove it."
        ) from error
    return given
