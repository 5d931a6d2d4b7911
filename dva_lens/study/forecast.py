"""What a measurement will take, said before anything is done: time, memory and disk.

Time is counted in operations and divided by the speed of a short matrix product on the same
device, so it is right within a factor of two; the rest is an upper bound, before compression.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from dva_lens import axes
from dva_lens.data.documents import Corpus
from dva_lens.kernels.guard import readable
from dva_lens.measuring.dataset import DISPLAYED
from dva_lens.measuring.inputs import InputOptions, Room, sequences_of
from dva_lens.models.outline import ModelOutline, outline
from dva_lens.models.placing import Placement
from dva_lens.statistics.table import STATISTICS
from dva_lens.study.single import MeasureOptions, spread

STATES = 16
"""How many arrays of the size of the residual stream a pass holds at once, about."""
OVERHEAD = 1.3
"""The measured pass with its comparison ÷ the plain one, on a CPU."""
SIDE, TRIED_SECONDS = 512, 0.2
FLOAT32_BYTES = 4


@final
@dataclass(frozen=True)
class Forecast:
    """What measuring one model will take."""

    parameters: int
    documents: int
    windows: int
    tokens: int
    longest: int
    seconds: float
    memory: int
    disk: int
    unpacked: int

    def lines(self, name: str, out: Path) -> tuple[str, ...]:
        """Say it in words."""
        cache = f", {readable(self.unpacked)} in the cache for its unpacked weights"
        return (
            f"{name}: {self.parameters:,} parameters; {self.documents:,} documents in "
            f"{self.windows:,} windows of up to {self.longest:,} tokens, {self.tokens:,} in all.",
            f"  time    about {_duration(self.seconds)}",
            f"  memory  about {readable(self.memory)}",
            f"  disk    at most {readable(self.disk)} in {out}{cache if self.unpacked else ''}",
        )


def forecast(
    path: Path, corpus: Corpus, options: MeasureOptions, speed: Callable[..., float] | None = None
) -> Forecast:
    """Return what measuring the model of a folder or a GGUF file on a text will take.

    Raises
    ------
    FileNotFoundError
        There is no checkpoint.
    ValueError
        It cannot be read, or the text cannot be measured with it.
    """
    found = outline(path)
    text = spread(corpus, options.documents, options.seed)
    inputs = InputOptions(options.length, chat=options.chat, system_prompt=options.system_prompt)
    sequences = sequences_of(text, found.tokenizer, inputs, Room(found.positions))
    lengths = sequences.lengths
    opening = options.opening
    placement = Placement(opening.get("device"), opening.get("dtype"))
    rate = (speed or operations_per_second)(placement)
    times = 1 + len(options.controls)
    return Forecast(
        parameters=found.parameters,
        documents=len(set(sequences.documents)),
        windows=len(sequences),
        tokens=int(lengths.sum()),
        longest=int(lengths.max()),
        seconds=times * OVERHEAD * operations(found, lengths) / rate,
        memory=_memory(found, int(lengths.max()), options, placement),
        disk=times * _disk(found, lengths, options),
        unpacked=found.unpacked_bytes,
    )


def operations(found: ModelOutline, lengths: Any) -> float:
    """Return the operations of one forward pass over windows, two per multiplication and sum."""
    plain = 2.0 * found.parameters * float(np.sum(lengths))
    pairs = 4.0 * found.layers * found.width * float(np.sum(np.square(lengths, dtype=float))) / 2
    return plain + pairs


def operations_per_second(placement: Placement) -> float:
    """Return the speed of a matrix product on a device, in operations a second."""
    device, dtype = placement.device or "cpu", placement.numbers or torch.float32
    matrix = torch.ones(SIDE, SIDE, device=device, dtype=dtype)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < TRIED_SECONDS or done < 2:
        (matrix @ matrix)[0, 0].item()
        done += 1
    return done * 2.0 * SIDE**3 / (time.perf_counter() - started)


def _memory(
    found: ModelOutline, longest: int, options: MeasureOptions, placement: Placement
) -> int:
    size = FLOAT32_BYTES if placement.numbers is None else placement.numbers.itemsize
    weights = found.weight_bytes if placement.numbers is None else found.parameters * size
    return weights + STATES * FLOAT32_BYTES * found.width * longest * options.batch_size


def _disk(found: ModelOutline, lengths: Any, options: MeasureOptions) -> int:
    chosen = [STATISTICS[name] for name in options.statistics]
    heads = FLOAT32_BYTES * found.layers * found.heads
    spans = axes.span_count(int(lengths.max()))
    by_query = [each for each in chosen if each.at == "query"]
    stored = heads * len(lengths) * (spans * len(by_query) + len(chosen) - len(by_query))
    if options.queries:
        stored += heads * len(by_query) * min(DISPLAYED, len(lengths)) * int(lengths.max())
    return stored


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
