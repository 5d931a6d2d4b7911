"""What recording has to know of a model: how it is watched, run, and asked about itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.logits import Logits
from dva_lens.recording.recorder import ATTENTION_SITES, Recorder
from dva_lens.records import KeyText
from dva_lens.sites import Site


@final
@dataclass(frozen=True)
class SourceBatch:
    """The texts that the targets of a batch are of, padded on the right with token 0.

    `last` are the tokens that should follow the last ones of the targets, where they are known.
    """

    tokens: Int[np.ndarray, "sequence position"]
    lengths: Int[np.ndarray, "sequence"]
    last: Int[np.ndarray, "sequence"] | None = None

    @property
    def text(self) -> KeyText:
        """Return the texts, with -1 in padding."""
        real = np.arange(self.tokens.shape[1]) < self.lengths[:, None]
        return KeyText(np.where(real, self.tokens, -1), self.lengths)

    def beginning(self, row: int, longest: int) -> "SourceBatch":
        """Return the first tokens of one text."""
        length = min(int(self.lengths[row]), longest)
        return SourceBatch(self.tokens[row : row + 1, :length], np.array([length]))


@dataclass(frozen=True, eq=False)
class Adapter(ABC):
    """One model of one kind; there is a subclass for each kind, in a module of its own.

    An adapter is made once per call, by `adapter_of`, and passed on: whoever has one does not ask
    again which kind of model it holds.
    """

    model: Any

    @abstractmethod
    def attach(
        self, sites: Iterable[Site[object]], backend: str = "auto"
    ) -> AbstractContextManager[Recorder]:
        """Watch the model inside a context and restore it after."""

    @abstractmethod
    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the model over sequences padded on the right."""

    def given(self, beside: Mapping[str, np.ndarray]) -> "Adapter":
        """Return the adapter of the same model that runs over more than tokens, such as images.

        Raises
        ------
        TypeError
            The model takes nothing of such a name.
        """
        raise TypeError(f"{self.name} takes tokens alone, got {', '.join(beside)} beside them.")

    def with_own_attention(self) -> AbstractContextManager[str]:
        """Have the model compute its own attention as plainly as it can; return which that is."""
        return nullcontext(self.own_attention)

    def reading(self, source: SourceBatch) -> "Adapter":
        """Return the adapter of the same model reading source texts beside those of a pass.

        Raises
        ------
        TypeError
            The model reads one text.
        """
        raise TypeError(
            f"{self.name} reads one text at a time, got {len(source.lengths)} sources beside it."
        )

    def of_row(self, row: int, longest: int) -> tuple["Adapter", bool]:
        """Return the adapter for one row of a batch by itself, and whether it is still whole.

        Of what is read beside the row, at most `longest` tokens are kept.
        """
        del row, longest
        return self, True

    def check_input(self) -> None:
        """Refuse a model that reads what `measure` cannot pass to it.

        Raises
        ------
        TypeError
            It is one.
        """
        return

    @property
    def reads_source(self) -> bool:
        """Whether the model reads source texts beside those of a pass."""
        return False

    @property
    def source_positions(self) -> int | None:
        """Return how many tokens of a source there is room for, None where nothing says."""
        return self.positions

    @property
    def source_vocabulary(self) -> int:
        """Return how many tokens of sources the model has embeddings for."""
        return self.vocabulary

    def decoder_inputs(self, labels: Int[np.ndarray, "position"]) -> Int[np.ndarray, "position"]:
        """Return what the model reads where it should write these labels."""
        return labels

    @property
    def keys(self) -> KeyText | None:
        """Return the texts of the keys where they are others than those of the queries."""
        return None

    def continued(
        self, tokens: Tensor, lengths: Int[np.ndarray, "sequence"]
    ) -> tuple[Tensor, Int[np.ndarray, "sequence"]]:
        """Return tokens of which each should follow the one before, with their lengths."""
        return tokens, lengths

    def check_attended(self, recorder: Recorder) -> None:
        """Refuse a pass in which a layer attended without the recorder.

        Raises
        ------
        TypeError
            If there is such a layer; the message names it.
        """
        if not recorder.watches_attention:
            return
        silent = [layer for layer in range(self.depth) if layer not in recorder.attended()]
        without = self._without_attention(recorder, silent)
        for layer, reason in without.items():
            for site in ATTENTION_SITES:
                recorder.skip(layer, site, reason)
        unexplained = [layer for layer in silent if layer not in without]
        if unexplained:
            raise TypeError(self._unattended(unexplained))

    def _without_attention(self, recorder: Recorder, silent: Sequence[int]) -> Mapping[int, str]:
        """Return which of these layers have no attention to record, and what they have instead."""
        del recorder, silent
        return {}

    @abstractmethod
    def _unattended(self, silent: Sequence[int]) -> str:
        """Say that these layers attended without the recorder, and what follows from it."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Return the number of layers."""

    @property
    @abstractmethod
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token, so that it has a loss."""

    @property
    @abstractmethod
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""

    @property
    @abstractmethod
    def positions(self) -> int | None:
        """Return how many tokens the model has room for, or None where nothing says."""

    @property
    @abstractmethod
    def vocabulary(self) -> int:
        """Return how many tokens the model has embeddings for."""

    @property
    @abstractmethod
    def output_bytes(self) -> int:
        """Return the bytes that a pass forms at once for the output of one token."""

    @property
    @abstractmethod
    def architecture(self) -> str:
        """Return what the model is, for the attributes of a measurement."""

    @property
    def why_not_edited(self) -> str | None:
        """Return why attention cannot be edited as the model runs, or None where it can."""
        return None

    @property
    def runs_whole(self) -> bool:
        """Whether the model runs over whole batches alone, and not over parts of them."""
        return False

    @property
    def takes_images(self) -> bool:
        """Whether the model takes images in place of tokens."""
        return False

    @property
    def patch_size(self) -> tuple[int, int] | None:
        """Rows and columns of pixels that one position of an image stands for, if any do."""
        return None

    @property
    def tokenizer(self) -> Any:
        """Return the tokenizer that came with the model, or None."""
        return getattr(self.model, "tokenizer", None)

    @property
    def name(self) -> str:
        """Return what the model is called."""
        return getattr(self.model, "name_or_path", "") or type(self.model).__name__

    @property
    def device(self) -> torch.device:
        """Return where the model computes."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> str:
        """Return the dtype of the weights, by its name in numpy."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")
