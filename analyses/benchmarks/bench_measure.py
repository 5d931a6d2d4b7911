"""What does `lens.measure` cost as users call it, beside the model's own forward?

The model has the shape of SmolLM2-135M (30 layers of width 576, 9 heads that share 3 key-value
heads, 49,152 tokens) and random weights: the cost does not depend on them. `measure` runs with all
of its defaults, the comparison with the model's own attention among them, on sequences of 1,024
tokens, and is timed against the model's own forward, logits included, over the same tokens.

    python -m dva_lens.analyses.benchmarks.bench_measure [--check] [--clock process] [--out F.json]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from dva_lens.measuring import measure

from .timing import Run, answered, asking, paired

LENGTH = 1024


@final
@dataclass(frozen=True)
class MeasureCase:
    """How many sequences are measured, and how much longer that may take than running them."""

    sequences: int
    ratio: float


@final
@dataclass(frozen=True)
class MeasureOutcome:
    """What a case took: median seconds of both calls, their ratio, and every pair."""

    sequences: int
    plain_seconds: float
    measured_seconds: float
    ratio: float
    ratio_bound: float
    pairs: Sequence[tuple[float, float]]
    threads: int

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.ratio <= self.ratio_bound


CASES = (MeasureCase(1, 1.3), MeasureCase(8, 1.12))


def model_of(positions: int = 8192) -> LlamaForCausalLM:
    """Return a model of SmolLM2-135M's shape."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=positions,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    model.set_attn_implementation("sdpa")
    return model


def calls(model: LlamaForCausalLM, case: MeasureCase) -> tuple[Run, Run]:
    """Return the model's own forward and the measurement, over the same tokens."""
    vocabulary = model.config.vocab_size
    ids = np.random.default_rng(0).integers(0, vocabulary, (case.sequences, LENGTH))
    tokens = torch.as_tensor(ids)

    def plain() -> None:
        with torch.no_grad():
            model(tokens, use_cache=False)

    def measured() -> None:
        measure(model, ids)

    return plain, measured


def outcome(model: LlamaForCausalLM, case: MeasureCase, pairs: int, clock: str) -> MeasureOutcome:
    """Run one case."""
    times = paired(*calls(model, case), pairs, clock=clock)
    return MeasureOutcome(
        sequences=case.sequences,
        plain_seconds=times.baseline,
        measured_seconds=times.contender,
        ratio=times.ratio,
        ratio_bound=case.ratio,
        pairs=times.pairs,
        threads=torch.get_num_threads(),
    )


def table(outcomes: Sequence[MeasureOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    lines = ["  sequences  forward [s]  measure [s]   ratio  bound"]
    lines += [
        f"  {each.sequences:9d}  {each.plain_seconds:11.3f}  {each.measured_seconds:11.3f}"
        f"  {each.ratio:6.3f}  {each.ratio_bound:5.2f}  {'holds' if each.holds else 'BROKEN'}"
        for each in outcomes
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where a bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=7)
    parser.add_argument("--sequences", type=int, nargs="+", help="only these numbers of sequences")
    chosen = parser.parse_args(arguments)
    model, wanted = model_of(), chosen.sequences
    cases = [each for each in CASES if wanted is None or each.sequences in wanted]
    outcomes = [outcome(model, each, chosen.pairs, chosen.clock) for each in cases]
    return answered(outcomes, table(outcomes), chosen)


if __name__ == "__main__":
    sys.exit(main())
