"""Controls of a measurement: the same with what is claimed destroyed.

Shuffled tokens keep the words of a text and lose their order, one repeated token loses both, and
weights drawn anew keep the text and lose what was learned. Permuting the weights within rows is
no control: it leaves entropy, the largest weight and their kin as they are.
"""

import copy
from dataclasses import fields
from typing import Any

import numpy as np
import torch
import xarray as xr

from dva_lens.data.evaluation import TEXTS, EvaluationText
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.measure import measure
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.measuring.sequences import Sequences
from dva_lens.models.decoder import Decoder, build
from dva_lens.models.kinds import is_pretrained

RANDOM_INIT = "random-init"
CONTROLS: tuple[str, ...] = (*(name for name in TEXTS if name != "text"), RANDOM_INIT)


def measure_control(
    model: Any, text_or_tokens: Any, control: str, *, seed: int = 0, **chosen: Any
) -> xr.Dataset:
    """Measure a control of a model on a text, in the windows that the text itself would have.

    Parameters
    ----------
    model, text_or_tokens, chosen
        As in `dva_lens.measure`.
    control : {"shuffled", "repeated", "random-init"}
        Tokens of each sequence in random order; one token of each sequence throughout, start
        tokens excepted; or the model's architecture with new weights.
    seed : int
        Decides orders, tokens and weights.

    Raises
    ------
    KeyError
        There is no control of this name.
    ValueError
        The control is of one text, and a target came too.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> text = "To be, or not to be, that is the question."
    >>> data = measure_control(model, text, "shuffled", statistics=["entropy"])
    >>> data.attrs["text"]
    'shuffled'
    """
    if control not in CONTROLS:
        raise KeyError(f"Unknown control {control!r}; there are: {', '.join(CONTROLS)}.")
    if control == RANDOM_INIT:
        data = measure(reinitialised(model, seed), text_or_tokens, **chosen)
        return data.assign_attrs(text=control)
    names = [each.name for each in fields(InputOptions)]
    options = InputOptions(**{name: chosen.pop(name) for name in names if name in chosen})
    if options.target is not None:
        raise ValueError(
            f"The control {control!r} is of one text; of pairs of texts only {RANDOM_INIT!r} can "
            f"be measured."
        )
    found = prepare_tokens(model, text_or_tokens, options)
    text = TEXTS[control](_evaluation_text(found.sequences), seed)
    data = measure(model, text, tokenizer=found.tokenizer, part=options.part, **chosen)
    return data.assign_attrs({**found.sequences.facts, "text": control})


def _evaluation_text(sequences: Sequences) -> EvaluationText:
    lengths = sequences.lengths
    tokens = np.zeros((len(sequences), int(lengths.max())), dtype=np.int64)
    for index, row in enumerate(tokens):
        row[: lengths[index]] = sequences.tokens(index)
    return EvaluationText("text", tokens, lengths, sequences.documents, bool(sequences.prefix))


def reinitialised(model: Any, seed: int) -> Any:
    """Return a model of the same architecture, size, dtype and device with new weights.

    Raises
    ------
    TypeError
        The model is neither one of this package nor one of transformers.
    """
    weight = next(model.parameters())
    if isinstance(model, Decoder):
        fresh: Any = build(model.config, seed)
    elif is_pretrained(model):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = type(model)(copy.deepcopy(model.config))
    else:
        raise TypeError(
            f"A {type(model).__name__} cannot be made anew from its configuration; pass a model "
            f"of this package or of transformers."
        )
    named: Any = model
    for name in ("tokenizer", "name_or_path"):
        if hasattr(named, name):
            setattr(fresh, name, getattr(named, name))
    return fresh.to(weight.dtype).to(weight.device).eval()
