"""Show where the tokens of a text look, inline in a notebook."""

from typing import Any

import xarray as xr

from dva_lens.measuring.measure import measure
from dva_lens.results.archive import Archive
from dva_lens.results.edges import has_edges
from dva_lens.results.headvis import HeadVisTree
from dva_lens.results.runs import Run
from dva_lens.results.schema import ArchiveError
from dva_lens.views.inline import TokenView, look_of_head, token_view, view_of


def show(
    shown: Any,
    text: Any = None,
    *,
    run: str | None = None,
    sequence: int | None = None,
    layer: int | None = None,
    head: int | None = None,
    **options: Any,
) -> TokenView:
    """Show where every token of a text looks, and who looks at it: the last line of a cell.

    Point at a token to see both, with exact weights; layer and head are menus. Keys that much of
    the text looks at, its sinks, are marked. Nothing is fetched from a network.

    Parameters
    ----------
    shown : model, archive, measurement or tree
        A model, which is measured on the text first; what `open_archive` returns; what `measure`
        returned with `keep="query"`; or what `read_headvis` returns, one head at a time.
    text : text, token ids or name
        What to measure the model on; of an archive, the name of an evaluation text (default: the
        main one of the run).
    run : str, optional
        Of an archive: the label or key of a run; default: the first one that keeps edges.
    sequence : int, optional
        Which sequence of the text; default: the first, and of a tree the head's strongest.
    layer, head : int, optional
        Which head to open on; default: the one that looks most at a single key.
    **options
        For `measure`, such as `length`, `tokenizer` or `edges`, the bytes of edges to keep.

    Raises
    ------
    TypeError
        There is a run or options to measure by, and nothing that they could be of.
    ValueError
        A model has no text, or there is no such layer, head or sequence.
    ArchiveError
        The archive has no such run or text, or keeps no edges.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> view = show(model, "To be, or not to be.", layer=1)
    >>> print(view.title)
    dva-0: 20 tokens, 3 layers
    """
    place: dict[str, Any] = {"sequence": sequence or 0, "layer": layer, "head": head}
    if isinstance(shown, Archive):
        _check_options(options, "an archive")
        return _of_archive(shown, run, text, place)
    if run is not None:
        raise TypeError(f"run={run!r} is of an archive, got {type(shown).__name__}.")
    if isinstance(shown, HeadVisTree):
        _check_options(options | ({} if text is None else {"text": text}), "a HeadVis tree")
        return _of_tree(shown, layer or 0, head or 0, sequence)
    if isinstance(shown, xr.Dataset):
        _check_options(options | ({} if text is None else {"text": text}), "a measurement")
        return token_view(shown, **place)
    if text is None:
        raise ValueError("A model needs a text: show(model, 'some text').")
    data = measure(shown, text, keep="query", **{"statistics": ["entropy"], **options})
    return token_view(data, **place)


def _of_tree(tree: HeadVisTree, layer: int, head: int, sequence: int | None) -> TokenView:
    held = tree.sequences(layer, head)
    if not held:
        raise ArchiveError(f"No text was sampled for layer {layer}, head {head}; name another.")
    found = tree.edges(layer, head, sequence=held[0] if sequence is None else sequence)
    return view_of(look_of_head(found), (layer, head), tree.model)


def _check_options(options: dict[str, Any], what: str) -> None:
    if options:
        raise TypeError(f"{', '.join(options)}: only a model is measured, got {what}.")


def _of_archive(
    archive: Archive, run: str | None, text: str | None, place: dict[str, Any]
) -> TokenView:
    chosen = archive.run(run) if run is not None else _first_with_edges(archive, text)
    name = text if text is not None else archive.texts_of(chosen)[0]
    return token_view(archive.dataset(chosen, name), name=f"{chosen.label} on {name}", **place)


def _first_with_edges(archive: Archive, text: str | None) -> Run:
    for run in archive.runs:
        if (text is None or text in archive.texts_of(run)) and has_edges(
            archive.dataset(run, text)
        ):
            return run
    on = "" if text is None else f" on {text!r}"
    raise ArchiveError(
        f"No run of {archive.folder} keeps edges{on}; measure again with edges (`--edges 64MiB`)."
    )
