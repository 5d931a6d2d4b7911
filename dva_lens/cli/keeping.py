"""A head at hand for a closer look: from the folder of kept layers, or from its model."""

from pathlib import Path
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
    device: str | None,
    dtype: Dtype | None,
    revision: str | None,
) -> "HeadsAtHand":
    """Return a head as it was kept, if it was, with its `values` where these are asked for."""
    from dva_lens.measuring.closeup import heads_at_hand
    from dva_lens.measuring.kept_layers import file_of, kept_head

    given: dict[str, Any] = {"device": device, "dtype": dtype, "revision": revision}
    place: dict[str, Any] = {"layer": layer, "sequence": sequence}
    file = None if keep is None else file_of(keep, model, corpus.sha256, **given, **place)
    found = None if file is None else kept_head(file, head, device=device)
    if found is not None and not (values and found.values is None):
        return found
    return heads_at_hand(opened_model(model, **given), corpus, **place, heads=[head], keep=file)
