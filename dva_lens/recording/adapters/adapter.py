"""What recording has to know of a model: how it is watched, run, and asked about itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.logits import Logits
from dva_lens.recording.recorder import ATTENTION_SITES, Recorder
from dva_lens.sites import Site


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
