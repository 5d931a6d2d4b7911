"""What an address says of one field, read as a value that may be used."""

from collections.abc import Sequence

NONE = -1
"""What stands for no token, and for the last step."""


def listed(value: str | None, allowed: Sequence[str], otherwise: str = "") -> str:
    """Return a value that is allowed, or the default; nothing where nothing is allowed."""
    if value is not None and value in allowed:
        return value
    return otherwise or next(iter(allowed), "")


def clamped(value: str | None, count: int) -> int:
    """Return the nearest index below a count; what is no whole number is index 0."""
    text = (value or "").strip()
    if not text.lstrip("-").isdecimal() or len(text) > 12 or not text.isascii():
        return 0
    try:
        number = int(text)
    except ValueError:
        return 0
    return max(0, min(number, count - 1))


def whole_number(value: str | None) -> int:
    """Return the token or step that an address names, or none; what is shown has the most."""
    named = (value or "").strip()
    return clamped(named, 1 << 24) if named.isdecimal() and named.isascii() else NONE
