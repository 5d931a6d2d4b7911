"""What a change of a layer is: something that returns another output of its attention."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.recording.recorder import AttentionCall

Output = Float[Tensor, "sequence head query width"]


@final
@dataclass(frozen=True)
class PassRows:
    """The sequences of one pass: their lengths, and which of all sequences the first one is."""

    lengths: Int[Tensor, "sequence"]
    first: int = 0


Edit = Callable[[AttentionCall, Output, PassRows], Output]
"""Gets the attention of a layer as the model asked for it, its output, and the sequences."""


@final
class Change(NamedTuple):
    """What becomes of the output of one layer."""

    layer: int
    edit: Edit
