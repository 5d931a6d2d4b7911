"""`dva-lens intervene`: change one thing in a model, beside a matched control."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dva_lens.cli.opening import (
    DeviceOption,
    DtypeOption,
    ModelArgument,
    RevisionOption,
    TextFileOption,
    opened_model,
)
from dva_lens.diagnostics.interventions import NAMES

if TYPE_CHECKING:
    import xarray as xr

    from dva_lens.diagnostics.interventions.values import Intervention

EFFECT = ("effect", "effect_low", "effect_high")
QUANTITIES = {
    "loss": "What is added to the loss",
    "divergence": "How far next-token distributions move (KL divergence)",
}
SHOWN = ("entropy", "first_key_mass", "written_value_drain")


def intervene(  # noqa: PLR0913 - one argument per option
    model: ModelArgument,
    intervention: Annotated[
        str, typer.Argument(metavar="INTERVENTION", help=f"One of {', '.join(NAMES)}.")
    ],
    *,
    layer: Annotated[
        int | None,
        typer.Option(
            min=0, help="Layer to change; without it, all that have a value residual, for that."
        ),
    ] = None,
    head: Annotated[
        int | None, typer.Option(min=0, help="Head to change, where the intervention is of one.")
    ] = None,
    key: Annotated[
        int | None, typer.Option(min=0, help="Position of the sink.", show_default="0")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="How a sink is removed, mask (its weight) or value (what it adds); whence "
            "first-layer values come, text (another one) or position (another one of the text).",
            show_default="mask or text",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="How much of a sink, or of the weight of a value residual, is removed.",
            show_default="1.0",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="What is swapped of values: all, or what the query has a part in (query).",
            show_default="all",
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="What scores are divided by (temperature).")
    ] = None,
    text: TextFileOption = None,
    length: Annotated[int | None, typer.Option(min=2, help="Window length in tokens.")] = None,
    documents: Annotated[int, typer.Option(min=1, help="Maximum number of documents.")] = 8,
    draws: Annotated[int, typer.Option(min=1, help="Controls to draw.")] = 4,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Random seed for documents and controls.")
    ] = 0,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics/--no-statistics", help="Follow the primary set through the model."
        ),
    ] = True,
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
    from dva_lens.study.single import spread
    from dva_lens.writing import write_text

    given = {"layer": layer, "head": head, "key": key, "by": by, "share": share, "part": part}
    given["temperature"] = temperature
    said = {name: value for name, value in given.items() if value is not None}
    what = intervention_of({NAME: intervention, **said})
    opened = opened_model(model, device=device, dtype=dtype, revision=revision)
    corpus = spread(open_corpus(text), documents, seed)
    followed = None if statistics else ()
    found = carry_out(
        opened, corpus, what, draws=draws, seed=seed, length=length, statistics=followed
    )
    whole = json.dumps(document_of(found), indent=None if as_json else 2, ensure_ascii=False)
    for line in [whole] if as_json else _said(found, what):
        typer.echo(line)
    if out is not None:
        write_text(out, whole + "\n")
        typer.echo(f"Result: {out}", err=as_json)


def _said(found: "xr.Dataset", what: "Intervention") -> list[str]:
    """Return the effects as lines of text."""
    from dva_lens.views.words import shown

    about, changed = found.attrs, ", ".join(map(str, found.attrs["layers"]))
    lines = [
        f"{about['model']}, {what.name} in layer {changed}: mean next-token loss "
        f"{shown(about['mean_loss'])} nat."
    ]
    for quantity, title in QUANTITIES.items():
        lines.append(f"{title}, with 95 % intervals:")
        units = found[f"{quantity}_change"].attrs["units"]
        for one in found["changed"].values:
            sizes = (float(found[each].sel(changed=one, quantity=quantity)) for each in EFFECT)
            lines.append(f"  {one:12}  {shown(*sizes)} {units}")
    lines.append(f"Control: {what.control}; mean of {about['draws']}.")
    if "mass_removed" in about:
        lines.append(
            f"Mass taken per query: {shown(about['mass_removed'])}, by the control "
            f"{shown(about['mass_removed_by_control'])}; that is "
            f"{100 * about['mass_covered']:.0f} % of the weight that was to be taken."
        )
    lines += _most_changed(found)
    note = found["effect"].attrs["note"]
    return [*lines, f"Interval: {note}."] if note else lines


def _most_changed(found: "xr.Dataset") -> list[str]:
    """Return, for the statistics people ask for first, where each changes most by itself."""
    from dva_lens.views.words import shown

    lines: list[str] = []
    for name in SHOWN:
        if f"{name}_change" not in found:
            continue
        gap = found[f"{name}_change"].sel(changed="difference")
        mean = abs(gap.sel(bound="mean", drop=True))
        if not float(mean.max()) > 0:
            continue
        at = mean.argmax(...)
        one = gap.isel(at)
        place = ", ".join(f"{dim} {int(one[dim])}" for dim in mean.dims)
        sizes = shown(*(float(one.sel(bound=bound)) for bound in ("mean", "low", "high")))
        about = found[name].attrs
        lines.append(f"{about['long_name']} changes most in {place}: {sizes} {about['units']}.")
    return ["Apart from the control:", *(f"  {line}" for line in lines)] if lines else lines
