"""Text from Hugging Face datasets: on the hub, or saved to a local folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, final

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from dva_lens.data.documents import Corpus, Document, corpus_of

PREFIX = "hf:"
SECONDS_TO_ANSWER = 5.0


@final
@dataclass(frozen=True)
class Rows:
    """The rows of a data set as documents; rows without text are passed over."""

    dataset: Any
    column: str

    def __iter__(self) -> Iterator[Document]:
        for number, row in enumerate(self.dataset):
            text = row[self.column]
            if text and text.strip():
                yield Document(f"row {number}", text.strip())


def hub_corpus(name: str) -> Corpus:
    """Return a column of a data set named as `hf:NAME[@CONFIG][:split[:column]]`.

    NAME is a local folder written by `save_to_disk`, which works offline, or a name on the hub.
    The split defaults to `train` and the column to `text`. A row is a document.

    Raises
    ------
    ValueError
        `name` does not have this form, or the data set has no such column.
    """
    place, _, rest = name.removeprefix(PREFIX).partition(":")
    split, _, column = rest.partition(":")
    if not place:
        raise ValueError(f"A data set is named hf:NAME[@CONFIG][:split[:column]], got {name!r}.")
    split, column = split or "train", column or "text"
    dataset = _loaded(place, split)
    if column not in dataset.column_names:
        held = ", ".join(dataset.column_names)
        raise ValueError(
            f"Data set {place!r} has no column {column!r}; it has: {held}. "
            f"Name one as hf:{place}:{split}:COLUMN."
        )
    return corpus_of(name, Rows(dataset.select_columns([column]), column))


def _loaded(place: str, split: str) -> Any:
    try:
        datasets = import_module("datasets")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Reading hf: data sets needs the package `datasets`: pip install 'dva-lens[hub]'."
        ) from error
    if not Path(place).is_dir():
        path, _, config = place.partition("@")
        answers = hub_answers(path)
        try:
            with _cached_alone(datasets, not answers):
                return datasets.load_dataset(path, config or None, split=split)
        except Exception as error:  # of several libraries, some of them optional
            why = " ".join(str(error).split()) if answers else "it cannot be reached"
            raise ValueError(
                f"Data set {place!r} is no local folder and the Hugging Face hub did not give it "
                f"({why}); name another, or a text file."
            ) from error
    try:
        found = datasets.load_from_disk(place)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The folder {place!r} was not written by `save_to_disk`; give its text as a path."
        ) from error
    if not isinstance(found, datasets.DatasetDict):
        return found
    if split not in found:
        raise ValueError(f"{place!r} has no split {split!r}; it has: {', '.join(found)}.")
    return found[split]


def hub_answers(name: str) -> bool:
    """Say whether the hub answers when asked for a data set, be it with a refusal.

    The library that loads data sets asks a hub that does not answer again and again, for half a
    minute.
    """
    try:
        HfApi().dataset_info(name, timeout=SECONDS_TO_ANSWER)
    except (HfHubHTTPError, HFValidationError):
        return True
    except Exception:  # whatever the library's library raises where there is no network
        return False
    return True


@contextmanager
def _cached_alone(datasets: Any, alone: bool) -> Iterator[None]:
    """Let the library take what is in its cache, and ask nobody."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or alone
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before
