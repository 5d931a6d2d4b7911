"""A head at hand for a closer look: from the folder of kept layers, or from its model."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dva_lens.cli.opening import Dtype, opened_model

if TYPE_CHECKING:
    from dva_lens.data.documents import Corpus
    from dva_lens.measuring.kept_layers import HeadsAtHand

KeepOption = Annotated[
    Path | None,
    typer.Option(
        help="Keep queries, keys and values of the layer in this folder, where its rule is plain: "
        "another look at the same text runs no model."
    ),
]


def head_at_hand(  # noqa: PLR0913  (a head has a place in a model and one in a text)
    model: str,
    corpus: "Corpus",
    *,
    layer: int,
    head: int,
    sequence: int,
    keep: Path | None,
    values: bool = False,
    positions: Mapping[str, int] = MappingProxyType({}),
    device: str | None,
    dtype: Dtype | None,
    revision: str | None,
) -> "HeadsAtHand":
    """Return a head as it was kept, if it was, with its `values` where these are asked for.

    A model runs for no `positions` that the sequence lacks.
    """
    from dva_lens.measuring.closeup import heads_at_hand
    from dva_lens.measuring.kept_layers import kept_head

    given: dict[str, Any] = {"device": device, "dtype": dtype, "revision": revision}
    place: dict[str, Any] = {"layer": layer, "sequence": sequence}

    def file() -> Path | None:
        return None if keep is None else _file(keep, model, corpus.sha256, **given, **place)

    kept = file()
    found = None if kept is None else kept_head(kept, head, device=device)
    if found is not None and not (values and found.values is None):
        return found
    opened = opened_model(model, **given)  # which may fetch the files that `file` is named after
    looked_at: dict[str, Any] = {**place, "heads": [head], "positions": positions}
    return heads_at_hand(opened, corpus, **looked_at, keep=file())


def _file(keep: Path, model: str, text: str, **chosen: Any) -> Path | None:
    """Return where a layer is kept, None while the files of its model are not on this disk."""
    from dva_lens.loading import path_of
    from dva_lens.measuring.kept_layers import file_of

    try:
        place = path_of(model, chosen["revision"])
    except FileNotFoundError:
        return None
    return file_of(keep, place, text, **chosen)
