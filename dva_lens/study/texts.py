"""The text of a study: split by document, turned into tokens, cut into evaluation texts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from tokenizers import Tokenizer

from dva_lens.data.cache import TokenCache, cache_tokens
from dva_lens.data.corpus import open_corpus
from dva_lens.data.evaluation import TEXTS, EvaluationText, evaluation_text
from dva_lens.data.split import split
from dva_lens.data.tokenizer import tokenizer_hash, train_tokenizer
from dva_lens.study.definition import HELD_OUT, Study

CACHE = "tokens"
_CONTROL_SEED = 0


@final
@dataclass(frozen=True)
class Texts:
    """What every run of a study reads: the same tokens, in training and in measuring."""

    name: str
    sha256: str
    tokenizer: Tokenizer
    train: TokenCache
    held_out: TokenCache
    evaluation: dict[str, EvaluationText]

    @property
    def tokenizer_sha256(self) -> str:
        """A hash of everything that decides how the tokenizer cuts text."""
        return tokenizer_hash(self.tokenizer)


def prepare(study: Study, folder: Path) -> Texts:
    """Read the text of a study, learn its tokens and cut it; the tokens stay in `folder`.

    Raises
    ------
    FileNotFoundError
        The text is not there.
    ValueError
        It cannot be read as text, or is too short for the study.
    """
    corpus = open_corpus(study.text)
    parts = split(corpus)
    tokenizer = train_tokenizer(parts.train, study.size.vocabulary)
    train, held_out = (
        cache_tokens(part, tokenizer, folder / CACHE) for part in (parts.train, parts.held_out)
    )
    text = evaluation_text(held_out, length=study.size.context, sequences=study.sequences)
    evaluation = {HELD_OUT: replace(text, name=HELD_OUT)}
    for name in study.texts[1:]:
        evaluation[name] = TEXTS[name](text, _CONTROL_SEED)
    return Texts(corpus.name, corpus.sha256, tokenizer, train, held_out, evaluation)
