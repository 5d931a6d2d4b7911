"""`dva-lens archive info` and `dva-lens archive remove`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dva_lens.results.contents import RunContents, TextContents

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Archive folder.")]


def info(folder: Folder) -> None:
    """Say what an archive holds: runs, texts, sizes and versions.

    Example: dva-lens archive info runs/quick
    """
    from dva_lens.kernels.guard import readable
    from dva_lens.results.archive import scan
    from dva_lens.results.contents import contents, size_of
    from dva_lens.results.runs import archive_folder
    from dva_lens.results.schema import ARCHIVE, CHECKPOINTS, SCHEMA_VERSION

    archive = scan(archive_folder(folder))
    models = {run.model for run in archive.runs}
    stored = size_of(archive.folder / ARCHIVE)
    trained = size_of(archive.folder / CHECKPOINTS)
    typer.echo(
        f"{archive.folder}: {_counted(len(archive.runs), 'run')} of "
        f"{_counted(len(models), 'model')}; archive {readable(stored)}, checkpoints "
        f"{readable(trained)}; schema {SCHEMA_VERSION}."
    )
    if archive.former_names:
        typer.echo(archive.former_names)
    for each in contents(archive):
        for line in _lines(each):
            typer.echo(line)
    for group, reason in archive.unreadable.items():
        typer.echo(f"{group.rpartition('/')[2]}: cannot be read ({reason})")


def remove(
    folder: Folder,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Label or key of the run.")],
) -> None:
    """Remove a run from an archive, with its checkpoint, without asking.

    Example: dva-lens archive remove runs/quick dva-0
    """
    from dva_lens.kernels.guard import readable
    from dva_lens.study.removal import remove_run

    found = remove_run(folder, run)
    texts = f"its measurements on {', '.join(found.texts)}" if found.texts else "what was there"
    kept = f" and its checkpoint ({readable(found.checkpoint)})" if found.checkpoint else ""
    typer.echo(f"Removed {found.label} ({found.key}): {texts} ({readable(found.stored)}){kept}.")
    if found.trains_again:
        typer.echo("The study of this folder trains it again when it is run again.")


def _lines(found: "RunContents") -> list[str]:
    from dva_lens.kernels.guard import readable

    run = found.run
    parameters = run.attrs["parameters"]
    size = f", {parameters:,} parameters" if isinstance(parameters, int) else ""
    checkpoint = f", checkpoint {readable(found.checkpoint)}" if found.checkpoint else ""
    head = f"{run.label} ({run.key}): {run.model}, seed {run.seed}{size}; "
    lines = [f"{head}{readable(found.stored)}{checkpoint}"]
    lines += [f"  {name}: {_text(each)}" for name, each in found.texts.items()]
    return lines


def _text(found: "TextContents") -> str:
    if found.trouble:
        return f"cannot be read ({found.trouble})"
    made = ", ".join(f"{name} {version}" for name, version in (found.versions or {}).items())
    return (
        f"{_counted(found.statistics, 'statistic')} of {_counted(found.sequences, 'sequence')} "
        f"from {_counted(found.documents, 'document')}, up to {found.longest:,} tokens"
        + (f"; made with {made}" if made else "")
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
