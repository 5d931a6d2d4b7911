"""The options of commands that open a model: where, in which numbers, attending how."""

from enum import StrEnum
from typing import Annotated, Any

import typer


class Dtype(StrEnum):
    """The numbers to compute with."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


class AttendsTo(StrEnum):
    """What a query may attend to."""

    CAUSAL = "causal"
    BIDIRECTIONAL = "bidirectional"


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Checkpoint folder, GGUF file or hub name.")
]
TextFileOption = Annotated[
    str | None,
    typer.Option(
        "--text",
        help="Text file or folder (plain, .gz, .xz), or - for standard input.",
        show_default="Python's own documentation",
    ),
]
WholeOption = Annotated[
    bool, typer.Option("--whole", help="Keep a text file in one piece, not in sections.")
]
SequenceOption = Annotated[
    int,
    typer.Option("--sequence", min=0, help="Which of the sequences that the text is cut into."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="Where to compute, such as cpu or cuda:0.", show_default="cpu"),
]
DtypeOption = Annotated[
    Dtype | None,
    typer.Option("--dtype", help="Numbers to compute with.", show_default="those of the weights"),
]
DeviceMapOption = Annotated[
    str | None,
    typer.Option(
        "--device-map", help="Spread a model of transformers over devices: auto, balanced, ..."
    ),
]
BatchSizeOption = Annotated[
    int,
    typer.Option(
        "--batch-size", min=1, help="Run as many texts at once as so many of the longest."
    ),
]
RevisionOption = Annotated[
    str | None, typer.Option("--revision", help="Branch, tag or commit of a model on the hub.")
]
AttentionOption = Annotated[
    AttendsTo | None,
    typer.Option(
        "--attention",
        help="Attend to what came before alone, or to both sides.",
        show_default="as the model was trained to",
    ),
]
ChatOption = Annotated[
    bool,
    typer.Option(
        "--chat", help="Put each window into the model's chat template, as a user's turn."
    ),
]
SystemPromptOption = Annotated[
    str | None,
    typer.Option("--system-prompt", help="The system's turn in the chat template (with --chat)."),
]


def opened_model(
    model: str, *, device: str | None, dtype: Dtype | None, revision: str | None
) -> Any:
    """Open one model to look into it, attending as it was trained to."""
    from dva_lens.loading import load

    given = opening(device=device, dtype=dtype, device_map=None, revision=revision, attention=None)
    return load(model, **given)


def opening(
    *,
    device: str | None,
    dtype: Dtype | None,
    device_map: str | None,
    revision: str | None,
    attention: AttendsTo | None,
) -> dict[str, Any]:
    """Return what `load` is called with beside the model."""
    chosen = {
        "device": device,
        "dtype": None if dtype is None else dtype.value,
        "device_map": device_map,
        "revision": revision,
        "attention": None if attention is None else attention.value,
    }
    return {name: value for name, value in chosen.items() if value is not None}
