"""Measuring all parts of a model with an encoder and a decoder."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from dva_lens.measuring.measure import measure
from dva_lens.measuring.pairs import LABELS
from dva_lens.recording.adapters import parts_of


def measure_parts(model: Any, source: Any, target: Any = None, **chosen: Any) -> xr.DataTree:
    """Measure encoder, decoder and cross-attention of a model, each as `measure` does.

    Each part takes a pass of its own; the encoder runs over the sources alone.

    Parameters
    ----------
    model : model
        A model of transformers with an encoder and a decoder.
    source, target : texts or token ids
        As in `measure`.
    chosen
        What else `measure` takes.

    Returns
    -------
    xarray.DataTree
        One dataset per part, by its name: "encoder", "decoder" and "cross".

    Raises
    ------
    ValueError
        If the model is one stack of layers, or there is no target.
    TypeError, KeyError, MemoryError, NotImplementedError, RuntimeError
        What `measure` raises.

    Examples
    --------
    >>> from transformers import T5Config, T5ForConditionalGeneration
    >>> sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    >>> config = T5Config(vocab_size=50, decoder_start_token_id=0, **sizes)
    >>> model = T5ForConditionalGeneration(config).eval()
    >>> data = measure_parts(model, [[5, 7, 11, 3, 1]], [[4, 8, 1]], statistics=["entropy"])
    >>> list(data.children)
    ['encoder', 'decoder', 'cross']
    >>> data["cross"].attrs["part"]
    'cross'
    """
    parts = parts_of(model)
    if not parts:
        raise ValueError(
            f"{type(model).__name__} is one stack of layers and has no parts; use "
            f"`dva_lens.measure`."
        )
    if target is None and not (isinstance(source, Mapping) and LABELS in source):
        raise ValueError(
            f"The decoder of {type(model).__name__} reads a target beside the source; pass the "
            f"text or the labels that it should write, or measure part='encoder' alone."
        )
    found = {}
    for part in parts:
        beside = None if part == "encoder" else target
        found[part] = measure(model, source, target=beside, part=part, **chosen)
    return xr.DataTree.from_dict(found)
