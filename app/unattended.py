"""What there is to say of a run in which no layer attends."""

from dva_lens.results.compare import why_unattended

from .library import Library

IN_BRIEF = "nothing attends in this model"


def unattended(library: Library, run: str, text: str) -> str:
    """Return why nothing attends in a run, as a sentence; nothing where a layer does.

    Raises
    ------
    NothingToShowError
        The run was not measured on the text.
    """
    return library.cached(_why)(run, text)


def _why(library: Library, run: str, text: str) -> str:
    reason = why_unattended(library.of_run(run, text), run)
    return f"Nothing attends in {run}: {reason}." if reason else ""
