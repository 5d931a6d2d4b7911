"""What an archive shows, at the end of the command that made it."""

from pathlib import Path

import typer


def say_findings(folder: Path, *models: str) -> None:
    """Print the findings on every text of an archive that is no control, of all or some models."""
    from dva_lens.reports.findings import findings
    from dva_lens.results.archive import open_archive
    from dva_lens.results.schema import ArchiveError

    archive = open_archive(folder)
    for text in archive.main_texts:
        try:
            found = findings(archive, text).about(*models)
        except ArchiveError as refusal:  # what was measured stays, and its command succeeded
            typer.echo(f"\nNo findings on {text}: {refusal}")
            continue
        if found.entries:
            typer.echo(f"\n{found}")
    typer.echo("")
