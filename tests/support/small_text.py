"""A corpus small enough for tests: sentences of made-up words, drawn by seed."""

import numpy as np

from dva_lens.data.documents import Document, corpus_of

WORDS = ("attention", "value", "residual", "query", "key", "sink", "drain", "layer", "head", "ö")


def small_corpus(documents=12, words=200, seed=0):
    draw = np.random.default_rng(seed)
    return corpus_of(
        "small",
        tuple(
            Document(f"d{number}", " ".join(draw.choice(WORDS, size=words)))
            for number in range(documents)
        ),
    )
