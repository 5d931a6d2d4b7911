"""Does every model learn a task whose answer is known, and grow a sink where theory says so?

In Bigram-Backcopy (Guo et al., 2410.13835) a head that copies has nothing to do at every token
but the triggers. Where weights must sum to one, it is expected to park them on the start token
and to drain that token's value; where weights may sum to less, or a gate may close, it need not.

python -m dva_lens.analyses.known_answers [--steps 400] [--presets transformer dva ...]
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, cast, final

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import cross_entropy

from dva_lens.data.tasks import BigramBackcopy, TaskBatch
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import Decoder, build
from dva_lens.models.presets import PRESETS, Size, preset
from dva_lens.recording import record
from dva_lens.records import AttentionSummary, Record, ValueSizes
from dva_lens.sites import SUMMARY, VALUES
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe

SIZE = Size(layers=2, width=64, heads=2, vocabulary=64, context=64)
TASK = BigramBackcopy(vocabulary=64, length=64, batch=32)
SEQUENCES = 32
SETTLED = 16
SOLVED = 0.9


@final
@dataclass(frozen=True)
class Answer:
    """What became of one preset.

    `copied` is the share of successors of triggers that are told right, `bigram_excess` the loss
    elsewhere beyond the best possible, in nats. The head is the one that parks most:
    `parked` and `parked_at_triggers` are its mean weights on the start token at queries that have
    nothing to copy and at triggers, `even` what uniform attention would give, and `drain` the
    norm of the start token's value after W_O over the median of the others.
    """

    preset: str
    expects_sink: bool
    copied: float
    bigram_excess: float
    layer: int
    head: int
    parked: float
    parked_at_triggers: float
    even: float
    drain: float

    @property
    def solved(self) -> bool:
        """Say whether the model copies."""
        return self.copied >= SOLVED


def expects_sink(config: ModelConfig) -> bool:
    """Say whether the head has no other way to do nothing: no free mass, and no gate."""
    kinds = config.to_dict()
    return kinds["weights"]["kind"] == "softmax" and kinds["output"]["kind"] != "head-gate"


def answer(name: str, steps: int, seed: int = 0) -> Answer:
    """Train a preset on the task and say what became of it."""
    config = preset(name, SIZE)
    model = build(config, seed)
    recipe = Recipe(
        steps=steps,
        batch=TASK.batch,
        length=TASK.length,
        learning_rate=3e-3,
        final_learning_rate=3e-4,
        warmup=min(20, steps - 1),
        seed=seed,
    )
    train(model, TASK, recipe)
    test = TASK.sample(SEQUENCES)
    copied, excess = _told(model, test)
    seen = record(model, test.tokens[:, :-1], sites=(SUMMARY, VALUES))
    return Answer(name, expects_sink(config), copied, excess, **_parking(seen, test))


@torch.no_grad()
def _told(model: Decoder, test: TaskBatch) -> tuple[float, float]:
    """Return how many triggers are answered right, and the excess loss at the other tokens."""
    tokens = torch.from_numpy(test.tokens)
    logits = model(tokens[:, :-1])
    losses = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    right = (logits.argmax(-1) == tokens[:, 1:]).numpy()
    excess = losses.reshape(tokens[:, 1:].shape).numpy() - test.optimal
    return float(right[test.predictable].mean()), float(excess[~test.predictable].mean())


def _parking(seen: Record, test: TaskBatch) -> dict[str, Any]:
    """Return where most is parked on the start token, and what its value is like there."""
    idle = ~test.predictable
    idle[:, :SETTLED] = False
    busy = test.predictable.copy()
    busy[:, :SETTLED] = False
    mass = [cast("AttentionSummary", each.at(SUMMARY)).first_mass for each in seen.layers]
    parked = np.stack([_at(each, idle) for each in mass])
    layer, head = (int(each) for each in np.unravel_index(parked.argmax(), parked.shape))
    written = cast("ValueSizes", seen.layers[layer].at(VALUES)).written_norm
    group = head * written.shape[1] // parked.shape[1]
    drain = written[:, group, 0] / np.median(written[:, group, 1:], axis=-1)
    places = np.broadcast_to(np.arange(idle.shape[1]), idle.shape)[idle]
    return {
        "layer": layer,
        "head": head,
        "parked": float(parked[layer, head]),
        "parked_at_triggers": float(_at(mass[layer], busy)[head]),
        "even": float((1 / (places + 1)).mean()),
        "drain": float(drain.mean()),
    }


def _at(
    mass: Float[np.ndarray, "sequence head query"], chosen: np.ndarray
) -> Float[np.ndarray, "head"]:
    """Return the mean of each head at the chosen queries."""
    return np.array([each[chosen].mean() for each in np.moveaxis(mass, 1, 0)])


def table(answers: list[Answer]) -> str:
    """Return answers as lines of text."""
    lines = [
        f"{'preset':<26} sink expected  copied  excess  head   parked  at triggers   even  drain"
    ]
    lines += [
        f"{each.preset:<26} {'yes' if each.expects_sink else 'weaker':<13}  {each.copied:6.2f}"
        f"  {each.bigram_excess:6.2f}  {each.layer}.{each.head}    {each.parked:6.2f}"
        f"  {each.parked_at_triggers:11.2f}  {each.even:5.2f}  {each.drain:5.2f}"
        f"{'' if each.solved else '  UNSOLVED'}"
        for each in answers
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where one does not copy and `--check` asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--check", action="store_true", help="fail where a model does not copy")
    chosen = parser.parse_args(arguments)
    answers = [answer(name, chosen.steps, chosen.seed) for name in chosen.presets]
    if chosen.json:
        found = [{**asdict(each), "solved": each.solved} for each in answers]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write(table(answers))
    return int(chosen.check and not all(each.solved for each in answers))


if __name__ == "__main__":
    sys.exit(main())
