"""Does every model learn a task whose answer is known, and grow a sink where theory says so?

In Bigram-Backcopy (Guo et al., 2410.13835) a head that copies has nothing to do at every token
but the triggers. Where weights must sum to one, it is expected to park them on the start token
and to drain that token's value; where weights may sum to less, or a gate may close, it need not.

python -m dva_lens.analyses.benchmarks.known_answers [--out FILE] [--presets dva ...] [--add]
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch.nn.functional import cross_entropy

from dva_lens.data.tasks import BigramBackcopy, TaskBatch
from dva_lens.mechanisms.rule.alibi import Alibi
from dva_lens.mechanisms.rule.combiner import Combiner
from dva_lens.mechanisms.rule.landmark import Landmark
from dva_lens.mechanisms.rule.linear import Linear
from dva_lens.mechanisms.rule.softmax import Softmax
from dva_lens.mechanisms.rule.taylor import Taylor
from dva_lens.mechanisms.visibility.window import WindowedKeys
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import Decoder, build
from dva_lens.models.presets import PRESETS, Size, preset
from dva_lens.recording import record
from dva_lens.records import Record
from dva_lens.sites import SUMMARY, WRITTEN
from dva_lens.study.keys import digest, train_key
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe
from dva_lens.writing import write_text

from ..pages.answers import Answer, last
from ..pages.known_answers import Made, extended, page, table

SIZE = Size(layers=2, width=64, heads=2, vocabulary=64, context=64)
TASK = BigramBackcopy(vocabulary=64, length=64, batch=16)
SEQUENCES = 32
SETTLED = 16
SUM_TO_ONE = (Softmax, Alibi, Linear, Taylor, Landmark, Combiner)
NOWHERE: dict[str, Any] = {"layer": -1, "head": -1} | dict.fromkeys(
    ("parked", "parked_at_triggers", "even", "mass", "drain"), float("nan")
)
"""What a model that does not attend has to say about where it parks."""


def expects_sink(config: ModelConfig) -> bool:
    """Say whether the head has no other way to do nothing: no free mass, and no gate.

    A gate on values that depends on the query alone is a gate after attention. Scores that are
    not trained, or that no token has a say in, cannot be taught to park where there is nothing to
    do, in a window most queries do not see the start token, and heads that compose their weights
    may let them total nothing.
    """
    if not any(_can_park(config, layer) for layer in range(config.layers)):
        return False
    kinds = {axis: config.to_dict()[axis]["kind"] for axis in ("output", "value_form")}
    by_query = kinds["value_form"] in ("query-gate", "switch-head")
    gated = kinds["output"] == "head-gate" or by_query
    return not gated


def _can_park(config: ModelConfig, layer: int) -> bool:
    """Say whether a layer can be taught to weigh the start token, and has to weigh some key."""
    if not config.attends(layer):
        return False
    scores, rule = config.scores_of(layer), config.rule_of(layer)
    free = config.composition_of(layer).composes
    if free or isinstance(config.visibility_of(layer), WindowedKeys):
        return False
    return scores.trained and scores.of_tokens and isinstance(rule, SUM_TO_ONE)


def recipe_of(steps: int, seed: int = 0) -> Recipe:
    """Return how every preset is trained on the task."""
    return Recipe(
        steps=steps,
        batch=TASK.batch,
        length=TASK.length,
        learning_rate=3e-3,
        final_learning_rate=3e-4,
        warmup=min(20, steps - 1),
        seed=seed,
    )


def key_of(name: str, steps: int, seed: int = 0) -> str:
    """Name everything that decides what a preset answers; two answers of one key are the same."""
    config, recipe = preset(name, SIZE).to_dict(), recipe_of(steps, seed).to_dict()
    task = digest({"task": repr(TASK), "sequences": SEQUENCES, "settled": SETTLED})
    return train_key(config, recipe, data=task, tokenizer="", seed=seed)[:8]


def answer(name: str, steps: int, seed: int = 0) -> Answer:
    """Train a preset on the task and say what became of it."""
    config = preset(name, SIZE)
    model = build(config, seed)
    train(model, TASK, recipe_of(steps, seed))
    test = TASK.sample(SEQUENCES)
    copied, excess = _told(model, test)
    seen = record(model, test.tokens[:, :-1], sites=(SUMMARY, WRITTEN))
    expected = expects_sink(config)
    most = _parking(seen, test) if model.attentions else NOWHERE
    key = key_of(name, steps, seed)
    return Answer(name, steps, seed, expected, copied, excess, **most, key=key)


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
    summaries = [each.at(SUMMARY) for each in seen.layers]
    parked = np.stack([_at(each.first_mass, idle) for each in summaries])
    layer, head = (int(each) for each in np.unravel_index(parked.argmax(), parked.shape))
    written = seen.layers[layer].at(WRITTEN).norm
    group = head * written.shape[1] // parked.shape[1]
    drain = written[:, group, 0] / np.median(written[:, group, 1:], axis=-1)
    places = np.broadcast_to(np.arange(idle.shape[1]), idle.shape)[idle]
    return {
        "layer": layer,
        "head": head,
        "parked": float(parked[layer, head]),
        "parked_at_triggers": float(_at(summaries[layer].first_mass, busy)[head]),
        "even": float((1 / (places + 1)).mean()),
        "mass": float(_at(summaries[layer].row_mass, idle)[head]),
        "drain": float(drain.mean()),
    }


def _at(
    mass: Float[np.ndarray, "sequence head query"], chosen: np.ndarray
) -> Float[np.ndarray, "head"]:
    """Return the mean of each head at the chosen queries."""
    return np.array([each[chosen].mean() for each in np.moveaxis(mass, 1, 0)])


def main(arguments: list[str] | None = None) -> int:
    """Print the table, JSON, or write the page; return 1 if `--check` and one does not copy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument(
        "--patience", type=int, default=3, help="times the steps for presets that do not copy"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=Path, help="write the page with its reading into a file")
    parser.add_argument(
        "--add", action="store_true", help="replace these presets' rows in FILE, keep the others"
    )
    parser.add_argument("--check", action="store_true", help="fail where a model does not copy")
    chosen = parser.parse_args(arguments)
    if chosen.add and chosen.out is None:
        parser.error("--add needs --out, the page to add to.")
    started = time.process_time()
    answers = _asked(chosen.presets, chosen.seeds, chosen.steps)
    slow = [row.preset for row in last(answers) if not row.solved]
    if slow and chosen.patience > 1:
        answers += _asked(slow, chosen.seeds, chosen.patience * chosen.steps)
    if chosen.out is not None:
        made = Made(tuple(chosen.seeds), time.process_time() - started)
        write_text(chosen.out, _written(chosen, answers, made))
    elif chosen.json:
        found = [_as_json(each) for each in answers]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write(table(answers) + "\n")
    return int(chosen.check and not all(row.solved for row in last(answers)))


def _as_json(one: Answer) -> dict[str, Any]:
    """Return an answer as plain values, with null for what a model does not have."""
    found = {**asdict(one), "solved": one.solved}
    return {name: None if value != value else value for name, value in found.items()}


def _written(chosen: argparse.Namespace, answers: Sequence[Answer], made: Made) -> str:
    """Return the page, or the one there is with its rows brought up to date."""
    if not chosen.add:
        return page(answers, made)
    return extended(chosen.out.read_text(encoding="utf-8"), answers, made, list(PRESETS))


def _asked(names: Sequence[str], seeds: Sequence[int], steps: int) -> list[Answer]:
    """Return the answers of presets, and tell on the way which are done."""
    found = []
    for name in names:
        found += [answer(name, steps, seed) for seed in seeds]
        sys.stderr.write(f"{name}, {steps} steps: done\n")
    return found


if __name__ == "__main__":
    sys.exit(main())
