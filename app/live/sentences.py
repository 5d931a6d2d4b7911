"""What a process of the command line says, as a page may show it: one sentence and no path."""

import re
import signal
from collections.abc import Mapping

LONGEST = 400
_PATH = re.compile(r"(?<![\w/.:])(?:~|/)[^\s'\"“”`,;:)(<>]*/([^\s'\"“”`,;:)(<>/]+)")
_PROGRESS = re.compile(r"^[\w ]+: (\d+) of (\d+) \w+")


def progress_of(line: str) -> tuple[int, int] | None:
    """Return how much of how much is done, if a line says that."""
    found = _PROGRESS.match(line)
    return (int(found[1]), int(found[2])) if found else None


def without_places(text: str, places: Mapping[str, str]) -> str:
    """Return a sentence with known places called by other words, and any path by its last part."""
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = text.replace(place, places[place])
    text = _PATH.sub(r"\1", text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def failure(code: int, lines: list[str]) -> str:
    """Return why a process ended with a code, from what it said last."""
    if code < 0:
        return _of_signal(-code)
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        return "The command that runs models met an error of its own; the terminal says which."
    last = (line.strip() for line in reversed(lines) if progress_of(line) is None)
    said = next(filter(None, last), "")
    return said or f"The command that runs models ended with code {code} and said nothing."


def _of_signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    advice = (
        " Perhaps memory ran out: choose a shorter text or a smaller model."
        if name in ("SIGKILL", "SIGBUS", "SIGSEGV")
        else ""
    )
    return f"The process that ran the model was ended from outside (signal {name}).{advice}"
