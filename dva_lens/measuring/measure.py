"""Measuring a model on a text: one call from a model and a text to labelled data."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from dva_lens import __version__, axes
from dva_lens.measuring.dataset import Part, assembled, part_of, with_queries
from dva_lens.measuring.edges import with_edges
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.labels import with_token_texts
from dva_lens.measuring.passes import MeasureProgress, Passes
from dva_lens.measuring.prepare import Prepared, prepare
from dva_lens.models.placing import room_for
from dva_lens.recording.edge_plan import BUDGET
from dva_lens.recording.fidelity import say_always
from dva_lens.recording.record import RecordOptions
from dva_lens.records import Record
from dva_lens.results.schema import SCHEMA_VERSION
from dva_lens.sites import EDGES, Site
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.statistic import Statistic
from dva_lens.statistics.table import RECORDED, statistic

STORED = ("backend", "dtype", "device", "fidelity")


def measure(  # noqa: PLR0913  (the face of the package: every choice has a name and a default)
    model: Any,
    text_or_tokens: Any,
    *,
    target: Any = None,
    part: str | None = None,
    statistics: Sequence[str] | None = None,
    keep: str | None = None,
    edges: int = BUDGET,
    backend: str = "auto",
    length: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
    special_tokens: bool = True,
    chat: bool = False,
    system_prompt: str | None = None,
    fidelity: bool = True,
    progress: Callable[[MeasureProgress], None] | None = None,
    name: str | None = None,
    batch: int | None = None,
) -> xr.Dataset:
    """Run a model over a text as it is, and return statistics of its attention and values.

    Parameters
    ----------
    model : model
        What `dva_lens.load` returns, or a model of transformers.
    text_or_tokens : text or token ids
        A text, several texts, a corpus, an evaluation text, or token ids: one row, or one row
        per sequence.
    target : text or token ids, optional
        What the decoder of a model with an encoder and a decoder should write, one target per
        text: the labels of training, which it reads after its start token.
    part : {"encoder", "decoder", "cross"}, optional
        Which part of such a model: its encoder over the text, its decoder over the target, or
        cross-attention, from the target to the text. `measure_parts` measures all three.
    statistics : names, optional
        Which statistics; default: the primary set.
    keep : {"query"}, optional
        Keep the numbers of every query beside the averages, for the first sequences: 8, or as
        many as the budget of memory allows.
    edges : bytes
        With `keep`, also keep the largest edges of every query (`dva_lens.edges` gives those of a
        head): of the first sequences, as many as fit into so many bytes. 0 keeps none.
    backend : str
        The kernel that computes attention: "auto", "exact", "blocked", "fused", "reference".
    length, stride : int, optional
        Texts longer than `length` tokens (default: what the model has room for) are cut into
        windows that start `stride` tokens apart (default: they do not overlap).
    batch_size : int
        As many sequences run together as so many of the longest have tokens; fewer where their
        logits would be large.
    documents : names, optional
        What to call the texts or sequences; intervals are taken over documents.
    tokenizer : tokenizer, optional
        In place of the model's own.
    special_tokens : bool
        Whether each window gets the special tokens that the tokenizer adds to a text.
    chat : bool
        Put each window into the chat template of the tokenizer, as the turn of a user; what
        stands around it is stored in the attributes.
    system_prompt : str, optional
        What the template is given as the system's turn; default: what it says without one.
    fidelity : bool
        Kept for code that passes it: what is measured is always compared with the model's own
        attention, and the attributes `fidelity_*` say what was compared.
    progress : callable, optional
        Called after each batch with what is done and the seconds that are left.
    name : str, optional
        What to call the model in the data.
    batch : int, optional
        The former name of `batch_size`.

    Returns
    -------
    xarray.Dataset
        One variable per statistic over layer, head, sequence and span, with its meaning,
        units and source in its attributes; what ran is in those of the dataset. Averages over
        spans and sequences are weighted by `rows`, the number of queries (`rows_by_layer` where
        layers see different keys).

    Raises
    ------
    TypeError
        If the model cannot be recorded, or the input is neither text nor tokens nor images.
    KeyError
        If a statistic or the backend is unknown.
    ValueError
        If the input is empty, too short or too long, holds tokens that the model has no
        embedding for, or is a text without a tokenizer; if a part must be named or a target is
        missing; if an option is out of range; or if the weights of the model are on the meta
        device.
    MemoryError
        If the logits of one sequence, or what `keep` asks for, exceed their budgets, or the
        device has no room.
    RuntimeError
        If a layer attends otherwise than the model's own attention does with the same queries,
        keys and values, or the model puts out something else with its attention recorded.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "The quick brown fox jumps over the lazy dog.")
    >>> data["entropy"].dims
    ('layer', 'head', 'sequence', 'span')

    The mean over all queries, in nats, by layer and head:

    >>> mean = data["entropy"].weighted(data["rows"]).mean(["sequence", "span"])
    >>> mean.dims
    ('layer', 'head')
    """
    chosen = tuple(statistic(each) for each in _listed(statistics))
    if keep not in (None, "query"):
        raise ValueError(f"keep must be 'query' or nothing, got {keep!r}.")
    batch_size = batch_size if batch is None else batch
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    if edges < 0:
        raise ValueError(f"edges must be a number of bytes, 0 for none, got {edges}.")
    options = InputOptions(
        length,
        stride,
        documents,
        tokenizer,
        special_tokens,
        target,
        part,
        chat=chat,
        system_prompt=system_prompt,
    )
    prepared = prepare(model, text_or_tokens, options)
    if not fidelity:
        say_always()
    sites = (*_sites(chosen), *((EDGES,) if keep == "query" and edges else ()))
    recording = RecordOptions(sites, backend, reader=StatisticReader.of(chosen))
    passes = Passes(prepared, chosen, recording, keep, edges)
    with room_for("This measurement", prepared.adapter.device):
        parts, facts = passes.over(batch_size, progress)
    sequences, adapter = prepared.sequences, prepared.adapter
    attrs = _attrs(name or adapter.name, facts, sequences.facts)
    attrs["architecture"] = adapter.architecture
    if part is not None:
        attrs["part"] = part
    data = assembled(
        parts, chosen, documents=sequences.documents, attrs=attrs, hashes=sequences.hashes
    )
    data = _with_places(data, prepared)
    return data if keep is None else _with_queries(data, passes, parts)


def _with_places(data: xr.Dataset, prepared: Prepared) -> xr.Dataset:
    """Add the texts of tokens, or where the patches of images stand."""
    if not prepared.sequences.images:
        return with_token_texts(data, prepared.tokenizer)
    longest = int(data[axes.LENGTH].max())
    return data if prepared.grid is None else data.assign_attrs(prepared.grid.facts(longest))


def _with_queries(data: xr.Dataset, passes: Passes, parts: Sequence[Part]) -> xr.Dataset:
    """Add what was kept of single queries."""
    shown = sum(part.kept for part in parts)
    words = passes.words(data[axes.LENGTH].values[:shown])
    data = with_queries(data, parts, passes.statistics, words)
    return with_edges(data, parts, shown)


def describe(
    found: Record,
    *,
    statistics: Sequence[str] | None = None,
    documents: Sequence[str] | None = None,
    name: str = "record",
) -> xr.Dataset:
    """Compute statistics of a record that came from a cache, from patterns, or from elsewhere.

    Raises
    ------
    KeyError
        If a statistic is unknown.
    ValueError
        If `statistics` is empty.

    Examples
    --------
    >>> from dva_lens.recording import from_patterns
    >>> pattern = torch.tensor([[1.0, 0.0], [0.5, 0.5]])[None, None]  # sequence, head, query, key
    >>> data = describe(from_patterns(pattern), statistics=["entropy"])
    >>> float(data["entropy"].sel(span=1).squeeze())  # log 2
    0.693147...
    """
    chosen = tuple(statistic(each) for each in _listed(statistics))
    names = documents or [f"sequence {index}" for index in range(len(found.lengths))]
    part = part_of(found, chosen, spans=axes.span_count(int(found.lengths.max())))
    attrs = _attrs(name, found.provenance, {"bos": "unknown"})
    return assembled([part], chosen, documents=names, attrs=attrs)


def _listed(statistics: Sequence[str] | None) -> Sequence[str]:
    if isinstance(statistics, str):
        return (statistics,)
    found = RECORDED if statistics is None else statistics
    if not found:
        raise ValueError("statistics is empty; name at least one, or leave it out.")
    return found


def _sites(statistics: Sequence[Statistic]) -> tuple[Site[object], ...]:
    """Return the sites that statistics need, each once."""
    return tuple({site.name: site for each in statistics for site in each.needs}.values())


def _attrs(
    name: str, facts: Mapping[str, Any], treatment: Mapping[str, str | int]
) -> dict[str, Any]:
    versions = {
        "dva_lens": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    provenance = {**facts, **versions, "threads": torch.get_num_threads()}
    return {
        "schema": SCHEMA_VERSION,
        "model": name,
        **{key: value for key, value in facts.items() if key.startswith(STORED)},
        **treatment,
        "provenance": json.dumps(provenance, sort_keys=True),
    }
