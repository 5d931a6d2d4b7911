"""`dva-lens intervene`: change one thing in a model, beside a matched control."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dva_lens.cli.opening import DeviceOption, DtypeOption, RevisionOption, opening
from dva_lens.diagnostics.interventions import NAMES

if TYPE_CHECKING:
    import xarray as xr

    from dva_lens.diagnostics.interventions.values import Intervention

EFFECT = ("effect", "effect_low", "effect_high")


def intervene(  # noqa: PLR0913 - one argument per option
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Checkpoint folder, GGUF file or hub name.")
    ],
    intervention: Annotated[
        str, typer.Argument(metavar="INTERVENTION", help=f"One of {', '.join(NAMES)}.")
    ],
    *,
    layer: Annotated[int, typer.Option(min=0, help="Layer to change.")],
    head: Annotated[
        int | None, typer.Option(min=0, help="Head to change, where the intervention is of one.")
    ] = None,
    key: Annotated[
        int | None, typer.Option(min=0, help="Position of the sink.", show_default="0")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="How a sink is removed: mask (its weight) or value (what it adds).",
            show_default="mask",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How much of a sink is removed.", show_default="1.0"),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="What scores are divided by (temperature).")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Text file or folder (plain, .gz, .xz), or - for standard input.",
            show_default="Python's own documentation",
        ),
    ] = None,
    length: Annotated[int | None, typer.Option(min=2, help="Window length in tokens.")] = None,
    documents: Annotated[int, typer.Option(min=1, help="Maximum number of documents.")] = 8,
    draws: Annotated[int, typer.Option(min=1, help="Controls to draw.")] = 4,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Random seed for documents and controls.")
    ] = 0,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    revision: RevisionOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole result as JSON instead of sentences.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the whole result as JSON to this file.")
    ] = None,
) -> None:
    """Change one thing in a model and say what it does to the loss, beside a matched control.

    Example: dva-lens intervene gpt2 remove-sink --layer 5 --head 1 --text notes.txt

    What is in the JSON is documented in dva_lens.diagnostics.interventions.document.
    """
    from dva_lens.data.corpus import open_corpus
    from dva_lens.diagnostics.interventions.document import document_of
    from dva_lens.diagnostics.interventions.intervene import intervene as carry_out
    from dva_lens.diagnostics.interventions.values import NAME, intervention_of
    from dva_lens.loading import load
    from dva_lens.study.single import spread
    from dva_lens.writing import write_text

    given = {"head": head, "key": key, "by": by, "share": share, "temperature": temperature}
    said = {name: value for name, value in given.items() if value is not None}
    what = intervention_of({NAME: intervention, "layer": layer, **said})
    opened = load(
        model,
        **opening(device=device, dtype=dtype, device_map=None, revision=revision, attention=None),
    )
    corpus = spread(open_corpus(text), documents, seed)
    found = carry_out(opened, corpus, what, draws=draws, seed=seed, length=length)
    whole = json.dumps(document_of(found), indent=None if as_json else 2, ensure_ascii=False)
    for line in [whole] if as_json else _said(found, what):
        typer.echo(line)
    if out is not None:
        write_text(out, whole + "\n")
        typer.echo(f"Result: {out}", err=as_json)


def _said(found: "xr.Dataset", what: "Intervention") -> list[str]:
    """Return the effects as lines of text."""
    from dva_lens.views.words import shown

    about = found.attrs
    lines = [
        f"{about['model']}, {what.name} in layer {what.layer}: mean next-token loss "
        f"{shown(about['mean_loss'])} nat. What is added to it, with 95 % intervals:"
    ]
    for one in found["changed"].values:
        sizes = (float(found[name].sel(changed=one)) for name in EFFECT)
        lines.append(f"  {one:12}  {shown(*sizes)} nat")
    lines.append(f"Control: {what.control}; mean of {about['draws']}.")
    if "mass_removed" in about:
        lines.append(
            f"Mass taken per query: {shown(about['mass_removed'])}, by the control "
            f"{shown(about['mass_removed_by_control'])}; that is "
            f"{100 * about['mass_covered']:.0f} % of the weight that was to be taken."
        )
    note = found["effect"].attrs["note"]
    return [*lines, f"Interval: {note}."] if note else lines
