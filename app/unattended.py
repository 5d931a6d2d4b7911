"""What there is to say of a run in which no layer attends."""

from functools import lru_cache

from dva_lens.results.compare import why_unattended

from .library import Library

IN_BRIEF = "nothing attends in this model"


@lru_cache(maxsize=256)
def unattended(library: Library, run: str, text: str) -> str:
    """Return why nothing attends in a run, as a sentence; nothing where a layer does.

    Raises
    ------
    NothingToShowError
        The run was not measured on the text.
    """
    reason = why_unattended(library.of_run(run, text), run)
    return f"Nothing attends in {run}: {reason}." if reason else ""
