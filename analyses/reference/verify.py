"""Are the trainings that come with the package those of the study files and the plan beside them?

Every training is named by all that decides its weights: its configuration, recipe and seed, its
tokens and its tokenizer. The names are worked out again from study.yaml and more_seeds.yaml, with
the hashes of tokens and tokenizer that the training noted; text and plan are compared by hash.

    python -m dva_lens.analyses.reference.verify
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import final

from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.runs import Run
from dva_lens.study.builtin import read_study
from dva_lens.study.definition import Study
from dva_lens.study.planned import planned_runs

Source = tuple[int, str, str]

FILES = tuple(Path(__file__).with_name(name) for name in ("study.yaml", "more_seeds.yaml"))


def studies() -> tuple[Study, ...]:
    """Return the studies of the reference results."""
    return tuple(read_study(str(file)) for file in FILES)


@final
@dataclass(frozen=True)
class Planned:
    """A training as a study file plans it: its key, its text, and the plan of claims."""

    key: str
    text_sha256: str | None
    plan_sha256: str | None


def faults(archive: Archive, planning: Sequence[Study]) -> list[str]:
    """Say, in one sentence each, what of an archive the studies did not plan."""
    planned = _planned(planning, {_source(run) for run in archive.runs})
    return [
        said
        for run in archive.runs
        for said in _faults(run, planned.get((_source(run), *_name(run)), []))
    ]


def _planned(
    planning: Sequence[Study], sources: Iterable[Source]
) -> dict[tuple[Source, str, str, int], list[Planned]]:
    """Return what is planned for the tokens and tokenizers of an archive, by part and training."""
    found: dict[tuple[Source, str, str, int], list[Planned]] = {}
    for source, study in product(sources, planning):
        vocabulary, data, tokenizer = source
        for part, own in study.each_part().items():
            runs = planned_runs(own, vocabulary=vocabulary, data=data, tokenizer=tokenizer)
            for run in runs:
                planned = Planned(run.key, own.text_sha256, study.plan_sha256)
                found.setdefault((source, part, run.preset, run.seed), []).append(planned)
    return found


def _source(run: Run) -> Source:
    """Return what a training noted: size of vocabulary, hashes of tokens and of tokenizer."""
    noted = json.loads(run.attrs["provenance"])
    vocabulary = json.loads(run.attrs["config"])["vocabulary"]
    return vocabulary, noted["data"], noted["tokenizer_sha256"]


def _name(run: Run) -> tuple[str, str, int]:
    return str(run.attrs.get("part", "")), run.preset, run.seed


def _faults(run: Run, planned: Sequence[Planned]) -> Iterator[str]:
    if not planned:
        yield f"{run.label} is planned by no study file."
        return
    noted, keys = json.loads(run.attrs["provenance"]), {each.key for each in planned}
    texts = {each.text_sha256 for each in planned}
    if run.key not in keys:
        yield (
            f"{run.label} is {run.key}, and the study files plan {' or '.join(sorted(keys))}: "
            f"its configuration, recipe or seed is another one."
        )
    if texts != {None} and noted.get("text_sha256") not in texts:
        yield f"{run.label} was trained on another text than the study file names."
    if noted.get("plan_sha256") not in {each.plan_sha256 for each in planned}:
        yield f"{run.label} was trained with another plan than plan.yaml."


def main() -> int:
    """Print what is not as planned, or how many trainings are; return 1 where any is not."""
    archive = open_archive("reference")
    found = faults(archive, studies())
    for said in found:
        sys.stderr.write(f"{said}\n")
    if not found:
        sys.stdout.write(f"All {len(archive.runs)} trainings are those of the study files.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
