"""Two archives read as one, so that runs of another folder stand beside those of the first."""

from dataclasses import replace

from dva_lens.results.archive import Archive
from dva_lens.results.schema import ArchiveError


def union(archive: Archive, other: Archive) -> Archive:
    """Return an archive with the runs of another behind its own; both stay where they are.

    Raises
    ------
    ArchiveError
        A key or label of the other archive is one of the first.
    """
    held = {name for run in archive.runs for name in (run.key, run.label)}
    twice = sorted({name for run in other.runs for name in (run.key, run.label)} & held)
    if twice:
        raise ArchiveError(
            f"{archive.folder} and {other.folder} both hold {', '.join(twice)}; a run is found by "
            f"its key or label, so measure one of them again under another --name."
        )
    return replace(
        archive,
        runs=(*archive.runs, *other.runs),
        unreadable={**archive.unreadable, **other.unreadable},
    )
