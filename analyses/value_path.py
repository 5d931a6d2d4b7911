"""Where do the values of a model come from, and do its mixing weights do anything?

A table per layer says in which signed shares the value used comes from the layer itself, from the
first layer or from elsewhere; they total one. A second says of every weight of a mechanism how
large it is, whether it receives a gradient, how far it has moved since the start, and what the
loss gains, in nats, when it is zero.

    python -m dva_lens.analyses.value_path runs/quick/checkpoints/dva-0 [--text book.txt] [--json]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor

from dva_lens.data.corpus import open_corpus
from dva_lens.data.documents import Corpus
from dva_lens.models.checkpoint import Checkpoint, load_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.ledger import LayerAccount, MixingWeight, audit, value_ledger

WINDOWS = 16


def windows(
    corpus: Corpus, tokenizer: Tokenizer | None, length: int, count: int = WINDOWS
) -> Int[Tensor, "window length"]:
    """Return the first tokens of the first documents that are long enough.

    Raises
    ------
    ValueError
        There is no tokenizer, `length` is less than 1, or no document is that long.
    """
    if tokenizer is None:
        raise ValueError("The checkpoint holds no tokenizer, so it reads no text.")
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}.")
    ids = (tokenizer.encode(each.text).ids for each in corpus.documents)
    found = list(islice((each[:length] for each in ids if len(each) >= length), count))
    if not found:
        raise ValueError(
            f"No document of {corpus.name} has {length} tokens; give a longer text, or fewer "
            f"tokens with --length."
        )
    return torch.tensor(found)


def started(saved: Checkpoint) -> dict[str, Tensor] | None:
    """Return the weights before training, if the checkpoint says from which seed it came."""
    seed = saved.training.get("seed") if saved.training else None
    return None if seed is None else build(saved.model.config, int(seed)).state_dict()


def plain(accounts: Sequence[LayerAccount], weights: Sequence[MixingWeight]) -> dict[str, Any]:
    """Return both tables as plain values, for JSON."""
    layers = [
        {
            "layer": each.layer,
            "writes": each.writes,
            "donor": each.donor,
            "shares": {name: share.tolist() for name, share in each.shares.items()},
            "skip": None if each.skip is None else each.skip.tolist(),
            "streams": dict(each.streams),
        }
        for each in accounts
    ]
    return {
        "layers": layers,
        "weights": [{**asdict(each), "alive": each.alive} for each in weights],
    }


def lines(accounts: Sequence[LayerAccount], weights: Sequence[MixingWeight]) -> Iterator[str]:
    """Yield both tables as text; shares are means over heads."""
    yield "layer  values                 shares"
    for each in accounts:
        source = "its own" if each.writes else "none of its own"
        source = source if each.donor is None else f"of layer {each.donor}"
        shares = [f"{name} {share.mean():+.3f}" for name, share in each.shares.items()]
        if each.skip is not None:
            shares.append(f"skip {each.skip.mean():+.3f} of the output")
        shares += [f"stream {place} {share:+.3f}" for place, share in each.streams.items()]
        yield f"{each.layer:>5}  {source:<21}  {', '.join(shares)}"
    yield ""
    if not weights:
        yield "No mechanism of this model has weights of its own."
        return
    yield f"{'weight':<44} {'norm':>9} {'gradient':>9} {'moved':>9} {'without':>9}"
    for each in weights:
        numbers = (each.norm, each.gradient, each.moved, each.without)
        cells = " ".join(f"{'–' if one is None else format(one, '.3g'):>9}" for one in numbers)
        yield f"{each.name:<44} {cells}{'' if each.alive else '  DEAD'}"


def main(arguments: list[str] | None = None) -> int:
    """Print both tables, or JSON; 1 if the model or the text cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m dva_lens.analyses.value_path",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint")
    parser.add_argument("--text", help="plain, .gz or .xz; by default what comes with Python")
    parser.add_argument("--length", type=int, help="tokens per window; by default the context")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    chosen = parser.parse_args(arguments)
    try:
        saved = load_checkpoint(chosen.checkpoint)
        length = saved.model.config.context if chosen.length is None else chosen.length
        tokens = windows(open_corpus(chosen.text), saved.tokenizer, length)
        accounts = value_ledger(saved.model, tokens)
        weights = audit(saved.model, tokens, started(saved))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if chosen.json:
        sys.stdout.write(json.dumps(plain(accounts, weights), indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(lines(accounts, weights)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
