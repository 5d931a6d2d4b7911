"""Training on several devices: processes that `accelerate launch` or `torchrun` started.

Every process holds the whole model and takes its share of each batch; gradients are averaged, so
the result is that of one process with the whole batch, up to rounding.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed, nn


@final
@dataclass(frozen=True)
class World:
    """Which of how many processes this is; process 0 reports, measures and writes."""

    rank: int = 0
    size: int = 1

    @property
    def reports(self) -> bool:
        """Whether this process is the one that reports."""
        return self.rank == 0

    def share(
        self, tokens: Int[Tensor, "sequence position"]
    ) -> Int[Tensor, "own_sequence position"]:
        """Return the sequences of a batch that this process works on.

        Raises
        ------
        ValueError
            The sequences cannot be shared evenly by the processes.
        """
        if len(tokens) % self.size:
            raise ValueError(
                f"A batch of {len(tokens)} sequences cannot be shared by {self.size} processes; "
                "make it a multiple."
            )
        return tokens.chunk(self.size)[self.rank]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier()

    def average(self, model: nn.Module, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Average the gradients over the processes, in one message, and return the mean loss."""
        if self.size == 1:
            return loss
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        message = torch.cat([loss.detach().reshape(1), *(g.reshape(-1) for g in gradients)])
        distributed.all_reduce(message)
        message /= self.size
        start = 1
        for gradient in gradients:
            gradient.copy_(message[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()
        return message[0]


def this_process() -> World:
    """Return this process's place, which is alone unless `processes` has joined it to others."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return World()
    return World(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def processes() -> Iterator[World]:
    """Join the processes that a launcher started, each with a device of its own."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield this_process()
    finally:
        distributed.destroy_process_group()
