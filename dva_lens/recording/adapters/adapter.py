"""What recording has to know of a kind of model: how it is watched, run and asked about itself."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.logits import Logits
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import Site


@runtime_checkable
class Source(Protocol):
    """A kind of model; the modules `own` and `huggingface` are one each."""

    def attach(
        self, model: Any, sites: Iterable[Site[object]], backend: str = "auto"
    ) -> AbstractContextManager[Recorder]:
        """Watch a model inside a context and restore it after."""
        ...

    def forward(self, model: Any, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run a model over sequences padded on the right."""
        ...

    def missed(self, model: Any, recorder: Recorder) -> None:
        """Refuse a pass in which a layer attended without the recorder."""
        ...

    def depth(self, model: Any) -> int:
        """Return the number of layers."""
        ...

    def predicts(self, model: Any) -> bool:
        """Say whether a model predicts the next token."""
        ...

    def implementation(self, model: Any) -> str:
        """Return the name of the model's own attention."""
        ...

    def positions(self, model: Any) -> int | None:
        """Return how many tokens a model has room for, or None where nothing says."""
        ...

    def row_bytes(self, model: Any) -> int:
        """Return the bytes that a pass forms at once for the output of one token."""
        ...

    def vocabulary(self, model: Any) -> int:
        """Return how many tokens a model has embeddings for."""
        ...

    def tokenizer(self, model: Any) -> Any:
        """Return the tokenizer that came with a model, or None."""
        ...

    def name(self, model: Any) -> str:
        """Return what a model is called."""
        ...

    def about(self, model: Any) -> dict[str, Any]:
        """Return what else to store about a model."""
        ...
