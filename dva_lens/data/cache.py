"""Tokens on disk: one flat memory-mapped array per text and tokenizer, with its documents."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Int, Integer
from tokenizers import Tokenizer
from tokenizers import __version__ as tokenizers_version

from dva_lens.data.documents import Corpus, Document
from dva_lens.data.tokenizer import end_token, tokenizer_hash, train_tokenizer
from dva_lens.writing import write_text, write_whole

FORMAT = 1
CHARACTERS_AT_ONCE = 1 << 20


@final
@dataclass(frozen=True)
class TokenCache:
    """The tokens of a corpus in one stream; each document is followed by the end token.

    `offsets` has one entry more than there are documents: document d is
    `tokens[offsets[d] : offsets[d + 1]]`, its end token last. `key` names text and tokenizer.
    """

    tokens: Integer[np.ndarray, "position"]
    offsets: Int[np.ndarray, "boundary"]
    names: tuple[str, ...]
    vocabulary: int
    key: str

    def document(self, number: int) -> Integer[np.ndarray, "position"]:
        """Return the tokens of one document, its end token left out."""
        return self.tokens[self.offsets[number] : self.offsets[number + 1] - 1]


def cache_tokens(corpus: Corpus, tokenizer: Tokenizer, folder: str | Path) -> TokenCache:
    """Return the tokens of a corpus, from the cache in `folder` if they are there and whole.

    The cache is derived from the text, so one that is damaged or of an older format is written
    anew. Files appear under their name only when complete.
    """
    place = Path(folder)
    identity = f"{FORMAT} {corpus.sha256} {tokenizer_hash(tokenizer)}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:20]
    try:
        return open_cache(place, key)
    except (FileNotFoundError, ValueError):
        _write(corpus, tokenizer, place, key)
        return open_cache(place, key)


def cache_tokenizer(corpus: Corpus, vocabulary: int, folder: str | Path) -> Tokenizer:
    """Return the tokenizer of a corpus, from `folder` if it was learned before and is whole.

    Learning it is the slow part of opening a large text again. It is kept for one version of the
    library that learns it, so that what is read is what would be learned.
    """
    identity = f"{FORMAT} {corpus.sha256} {vocabulary} {tokenizers_version}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:20]
    file = Path(folder) / f"{key}.tokenizer.json"
    kept = _kept_tokenizer(file)
    if kept is not None:
        return kept
    tokenizer = train_tokenizer(corpus, vocabulary)
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"sha256": tokenizer_hash(tokenizer), "tokenizer": tokenizer.to_str()}
    write_text(file, json.dumps(content))
    return tokenizer


def _kept_tokenizer(file: Path) -> Tokenizer | None:
    """Return what was kept, None if there is nothing or it is not what was written."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_str(content["tokenizer"])
        whole = tokenizer_hash(tokenizer) == content["sha256"]
    except Exception:  # the library raises bare Exception; the tokenizer is learned anew
        return None
    return tokenizer if whole else None


def open_cache(folder: str | Path, key: str) -> TokenCache:
    """Open cached tokens by key; refuse what is damaged, naming the file.

    Raises
    ------
    ValueError
        The tokens are missing, or do not match the hash that was written beside them.
    """
    binary, sidecar = _files(Path(folder), key)
    about = _sidecar(sidecar)
    if not binary.is_file() or _digest(binary) != about["sha256"]:
        raise ValueError(f"{str(binary)!r} is not what was written; delete it.")
    return TokenCache(
        np.asarray(np.memmap(binary, dtype=about["dtype"], mode="r")),
        np.array(about["offsets"], dtype=np.int64),
        tuple(about["names"]),
        about["vocabulary"],
        key,
    )


def _files(folder: Path, key: str) -> tuple[Path, Path]:
    return folder / f"{key}.bin", folder / f"{key}.json"


def _sidecar(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(file)!r} is damaged ({error}); delete it.") from error
    needed = {"format", "sha256", "dtype", "vocabulary", "offsets", "names"}
    if not isinstance(about, dict) or not needed <= set(about) or about["format"] != FORMAT:
        raise ValueError(
            f"{str(file)!r} is not the description of cached tokens, format {FORMAT}; delete it."
        )
    return about


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(corpus: Corpus, tokenizer: Tokenizer, folder: Path, key: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    binary, sidecar = _files(folder, key)
    vocabulary = tokenizer.get_vocab_size()
    dtype = np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)
    about: dict[str, Any] = {
        "format": FORMAT,
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "tokenizer_sha256": tokenizer_hash(tokenizer),
        "dtype": dtype.str,
        "vocabulary": vocabulary,
    }

    def encode(draft: Path) -> None:
        with draft.open("wb") as stream:
            about["names"], about["offsets"] = _encode(corpus, tokenizer, stream, dtype)
        about["sha256"] = _digest(draft)

    write_whole(binary, encode)
    write_text(sidecar, json.dumps(about))


def _encode(
    corpus: Corpus, tokenizer: Tokenizer, stream: io.BufferedIOBase, dtype: np.dtype
) -> tuple[list[str], list[int]]:
    end = end_token(tokenizer)
    names: list[str] = []
    offsets = [0]
    for documents in _portions(corpus.documents):
        texts = [document.text for document in documents]
        for document, encoded in zip(
            documents, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True
        ):
            ids = np.array([*encoded.ids, end], dtype=dtype)
            stream.write(ids.tobytes())
            names.append(document.name)
            offsets.append(offsets[-1] + len(ids))
    return names, offsets


def _portions(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Group documents so that a portion fills the cores without filling the memory."""
    portion: list[Document] = []
    characters = 0
    for document in documents:
        portion.append(document)
        characters += len(document.text)
        if characters >= CHARACTERS_AT_ONCE:
            yield portion
            portion, characters = [], 0
    if portion:
        yield portion
