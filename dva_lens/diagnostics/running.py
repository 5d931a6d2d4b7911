"""Running a model again and again over one text, each time with its attention edited."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.measuring.prepare import Prepared
from dva_lens.measuring.sequences import PaddedBatch
from dva_lens.recording.adapters import Adapter
from dva_lens.recording.fidelity import evaluating
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import Logits, next_token_loss
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import SUMMARY, Site

Edit = Callable[[int, Tensor], Tensor]
Sites = Iterable[Site[object]]
TOGETHER = 8


@final
@dataclass(frozen=True)
class WatchedModel:
    """A watched model that answers with its next-token losses."""

    found: Prepared
    recorder: Recorder
    at_once: int

    def losses(self, edit: Edit | None = None) -> Float[np.ndarray, "sequence position"]:
        """Return the loss after every token with attention edited, NaN where no token follows."""
        parts = [self._of(batch, edit) for batch in self.found.sequences.batches(self.at_once)]
        whole = np.full((len(self.found.sequences), max(part.shape[1] for part in parts)), np.nan)
        start = 0
        for part in parts:
            whole[start : start + len(part), : part.shape[1]] = part
            start += len(part)
        return whole

    def mean_losses(self, edit: Edit | None = None) -> Float[np.ndarray, "sequence"]:
        """Return the mean loss of every sequence with attention edited."""
        return np.asarray(np.nanmean(self.losses(edit), axis=1, dtype=np.float64))

    def _of(self, batch: PaddedBatch, edit: Edit | None) -> Float[np.ndarray, "some position"]:
        output = self.output(batch, edit)
        self.recorder.reset()
        ids = torch.as_tensor(batch.tokens, device=self.found.adapter.device)
        found = next_token_loss(output, ids, np.asarray(batch.lengths))
        return np.asarray(found, dtype=np.float64)

    def output(self, batch: PaddedBatch, edit: Edit | None) -> Logits:
        """Run over a batch with attention edited; what was recorded waits to be taken."""
        adapter = self.found.adapter
        ids = torch.as_tensor(batch.tokens, device=adapter.device)
        counts = torch.as_tensor(np.asarray(batch.lengths), device=ids.device)
        self.recorder.layout = Layout.plain(counts, ids.shape[1])
        self.recorder.edit = edit
        return adapter.forward(ids, counts)


@contextmanager
def watching(
    found: Prepared, sites: Iterable[Site[object]] = (SUMMARY,)
) -> Iterator[WatchedModel]:
    """Watch a model at some sites; it is restored when the context ends."""
    attached, at_once = found.adapter.attach(sites), found.sequences_per_pass(TOGETHER)
    with torch.no_grad(), evaluating(found.adapter.model), attached as recorder:
        yield WatchedModel(found, recorder, at_once)


def check_editable(adapter: Adapter) -> None:
    """Refuse a model whose attention cannot be edited, or that has no loss.

    Raises
    ------
    TypeError
        It is one of them.
    """
    if adapter.why_not_edited is not None:
        raise TypeError(adapter.why_not_edited)
    if not adapter.predicts_next_token:
        raise TypeError(
            f"{adapter.name} does not predict a next token, so there is no loss that could grow."
        )
