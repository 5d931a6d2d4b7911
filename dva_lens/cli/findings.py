"""What an archive shows, at the end of the command that made it."""

from pathlib import Path

import typer


def say_findings(folder: Path, *models: str) -> None:
    """Print the findings on every text of an archive that is no control, of all or some models."""
    from dva_lens.reports.findings import findings, main_texts
    from dva_lens.results.archive import open_archive

    archive = open_archive(folder)
    for text in main_texts(archive):
        found = findings(archive, text).about(*models)
        if found.entries:
            typer.echo(f"\n{found}")
    typer.echo("")
