"""A callback for the Trainer of transformers that measures the training as it goes."""

from pathlib import Path
from typing import Any, final

from transformers import TrainerCallback

from dva_lens.study.following import Follower, follow


@final
class LensCallback(TrainerCallback):
    """Measure a training at log-spaced steps into an archive: `Trainer(..., callbacks=[...])`.

    Parameters
    ----------
    folder : path
        The archive.
    text : text or token ids
        What to measure on, the same at every step.
    options
        Those of `dva_lens.follow`, such as `measurements`, `name` or `report_to`. The tokenizer
        is that of the trainer unless one is passed.

    In a training of several processes the main one measures.

    Examples
    --------
    >>> callback = LensCallback("runs/mine", "To be, or not to be.", name="gpt2")
    >>> callback.follower is None  # until the training begins
    True
    """

    def __init__(self, folder: Path | str, text: Any, **options: Any) -> None:
        self.folder, self.text, self.options = Path(folder), text, options
        self.follower: Follower | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure the model as it is, or take up the measurements of a training that continues."""
        del args, control
        if not state.is_world_process_zero:
            return
        tokenizer = {"tokenizer": given.get("processing_class")}
        self.follower = follow(
            given["model"],
            self.folder,
            self.text,
            steps=state.max_steps,
            done=state.global_step,
            **{**tokenizer, **self.options},
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Measure if it is due."""
        del args, control, given
        if self.follower is not None:
            self.follower(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Write what is left to write."""
        del args, state, control, given
        if self.follower is not None:
            self.follower.close()
