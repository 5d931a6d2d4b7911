"""What a running study says about itself while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

Phase = Literal["prepare", "wait", "kept", "train", "measure", "finished"]


@final
@dataclass(frozen=True)
class StudyProgress:
    """Where a study stands: run `number` of `of`, in it step `step` of `steps`.

    `loss` is the training loss of that step, or of the finished run its held-out loss;
    `seconds_left` is how long the training of this run will still take. `note`
    is what a person should know besides.
    """

    phase: Phase
    run: str = ""
    number: int = 0
    of: int = 0
    step: int = 0
    steps: int = 0
    loss: float = float("nan")
    seconds_left: float = float("nan")
    note: str = ""


OnProgress = Callable[[StudyProgress], None]


def silent(_: StudyProgress) -> None:
    """Say nothing."""
