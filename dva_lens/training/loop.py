"""The one training loop: every model, every text, every task goes through it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dva_lens.data.batches import Batches
from dva_lens.training.distributed import this_process
from dva_lens.training.log import TrainingLog, TrainingProgress
from dva_lens.training.optimizer import adamw
from dva_lens.training.recipe import Recipe
from dva_lens.training.state import StateFile, load_state, save_state

STEPS_BETWEEN_READS = {"cpu": 1, "cuda": 16}


def train(  # noqa: PLR0913 - what is trained, and four ways to watch it
    model: nn.Module,
    batches: Batches,
    recipe: Recipe,
    *,
    held_out: Int[np.ndarray, "sequence position"] | None = None,
    on_step: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[TrainingProgress], None] | None = None,
    resume: StateFile | None = None,
) -> TrainingLog:
    """Train a model in place on `batches(step)` and return what happened.

    The same model, batches and recipe give the same weights, bit for bit on a CPU. `held_out`
    holds sequences like those of training. `on_step(done, model)` is called at the recipe's
    `measure_steps`, with the model in evaluation mode; it cannot change the result. With `resume`
    the state is written as the training goes and an unfinished one continues from it, without
    calling `on_step` again for what was done. A loss that is not finite ends the training.
    """
    device = next(model.parameters()).device
    if not this_process().reports:
        on_step = progress = None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        run = _Training(model, recipe)
        if not run.restore(resume) and on_step is not None:
            run.show(on_step)
        model.train()
        while run.done < recipe.steps:
            run.step(batches)
            if held_out is not None and run.due(recipe.eval_every):
                run.evaluate(held_out)
            if on_step is not None and run.done in run.measured:
                run.show(on_step)
            if resume is not None and run.due(resume.every):
                run.save(resume)
            if progress is not None and run.read == run.done:
                progress(run.progress())
        model.eval()
    return run.log()


def held_out_loss(
    model: nn.Module,
    tokens: Int[np.ndarray, "sequence position"],
    *,
    batch: int,
    bf16: bool = True,
) -> float:
    """Return the mean next-token loss over sequences in nats, `batch` of them at a time."""
    device = next(model.parameters()).device
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(tokens), batch):
            part = torch.from_numpy(tokens[start : start + batch]).to(device)
            total += float(_loss(model, part, bf16)) * len(part)
    return total / len(tokens)


@final
class _Training:
    """A training under way: optimiser, steps done, and what has been read of the losses.

    Losses stay on the device until they are read together, because reading one makes the host
    wait; on a CPU there is nothing to wait for.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.model, self.recipe = model, recipe
        self.optimizer = adamw(model, recipe)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.world = this_process()
        self.done = self.read = 0
        self.measured = frozenset(recipe.measure_steps)
        self.waiting: list[Tensor] = []
        self.since = perf_counter()
        self.curves = {
            name: np.full(recipe.steps, np.nan) for name in ("loss", "held_out_loss", "seconds")
        }

    def step(self, batches: Batches) -> None:
        """Take one optimiser step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.done)
        tokens = torch.from_numpy(batches(self.done)).to(self.device, non_blocking=True)
        loss = _loss(self.model, self.world.share(tokens), self.recipe.bf16)
        loss.backward()
        loss = self.world.average(self.model, loss)
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.waiting.append(loss.detach())
        self.done += 1
        due = len(self.waiting) >= STEPS_BETWEEN_READS.get(self.device.type, 1)
        if due or self.done == self.recipe.steps:
            self.read_losses()

    def due(self, every: int) -> bool:
        """Say whether something done every so many steps, and at the end, is due."""
        return self.done % every == 0 or self.done == self.recipe.steps

    def read_losses(self) -> None:
        """Read the losses that are waiting and the time they took; stop at one not finite."""
        if not self.waiting:
            return
        losses = torch.stack(self.waiting).cpu().double().numpy()
        now = perf_counter()
        before = self.curves["seconds"][self.read - 1] if self.read else 0.0
        times = np.linspace(before, before + now - self.since, len(losses) + 1)[1:]
        self.curves["loss"][self.read : self.done] = losses
        self.curves["seconds"][self.read : self.done] = times
        bad = np.flatnonzero(~np.isfinite(losses))
        if bad.size:
            raise FloatingPointError(
                f"The loss became {losses[bad[0]]} at step {self.read + int(bad[0]) + 1} of "
                f"{self.recipe.steps}; lower learning_rate={self.recipe.learning_rate} or clip="
                f"{self.recipe.clip}, or lengthen warmup={self.recipe.warmup}."
            )
        self.waiting.clear()
        self.since, self.read = now, self.done

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock, switch to evaluation and protect the random state from what follows."""
        self.read_losses()
        devices = [self.device] if self.device.type == "cuda" else []
        self.model.eval()
        with torch.random.fork_rng(devices=devices):
            yield
        self.model.train()
        self.since = perf_counter()

    def evaluate(self, held_out: Int[np.ndarray, "sequence position"]) -> None:
        """Take the held-out loss after the steps done."""
        with self.paused():
            loss = held_out_loss(
                self.model, held_out, batch=self.recipe.batch, bf16=self.recipe.bf16
            )
            self.curves["held_out_loss"][self.done - 1] = loss

    def show(self, on_step: Callable[[int, nn.Module], None]) -> None:
        """Let somebody look at the model as it is."""
        with self.paused():
            on_step(self.done, self.model)

    def restore(self, place: StateFile | None) -> bool:
        """Continue from a saved state if there is one, and say whether there was."""
        if place is None or not place.path.is_file():
            return False
        self.done, self.curves = load_state(
            place.path, self.model, self.optimizer, recipe=self.recipe
        )
        self.read, self.since = self.done, perf_counter()
        return True

    def save(self, place: StateFile) -> None:
        """Write the state after the steps done."""
        if not self.world.reports:
            return
        with self.paused():
            save_state(
                place.path,
                self.model,
                self.optimizer,
                recipe=self.recipe,
                step=self.done,
                curves=self.curves,
            )

    def progress(self) -> TrainingProgress:
        """Say where the training stands and how long it will take at the pace so far."""
        spent, loss = self.curves["seconds"][self.done - 1], self.curves["loss"][self.done - 1]
        left = spent / self.done * (self.recipe.steps - self.done)
        return TrainingProgress(self.done, self.recipe.steps, float(loss), float(left))

    def log(self) -> TrainingLog:
        """Return the curves."""
        steps = np.arange(1, self.recipe.steps + 1)
        tokens = steps * self.recipe.batch * self.recipe.length
        return TrainingLog(step=steps, tokens=tokens, **self.curves)


def _loss(
    model: nn.Module, tokens: Int[Tensor, "sequence position"], bf16: bool
) -> Float[Tensor, ""]:
    """Return the mean next-token loss; the model sees all tokens but the last."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    with torch.autocast(
        tokens.device.type, torch.bfloat16, enabled=bf16 and tokens.device.type == "cuda"
    ):
        logits = model(inputs)
    return cross_entropy(logits.float().flatten(0, 1), targets.flatten())
