"""Are the trainings that come with the package those of the study files and the plan beside them?

Every training is named by all that decides its weights: its configuration, recipe and seed, its
tokens and its tokenizer. The names are worked out again from study.yaml and more_seeds.yaml, with
the hashes of tokens and tokenizer that the training noted; text and plan are compared by hash.

    python -m dva_lens.analyses.reference.verify
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.runs import Run
from dva_lens.study.builtin import read_study
from dva_lens.study.definition import Study
from dva_lens.study.planned import PlannedRun, planned_runs

Keys = dict[tuple[str, int], str]
BySource = dict[tuple[int, str, str], Keys]
Planned = dict[tuple[int, str], BySource]

FILES = tuple(Path(__file__).with_name(name) for name in ("study.yaml", "more_seeds.yaml"))


def studies() -> tuple[Study, ...]:
    """Return the studies of the reference results."""
    return tuple(read_study(str(file)) for file in FILES)


def faults(archive: Archive, planned: Sequence[Study]) -> list[str]:
    """Say, in one sentence each, what of an archive the studies did not plan."""
    known: Planned = {}
    return [said for run in archive.runs for said in _faults(run, planned, known)]


def _faults(run: Run, planned: Sequence[Study], known: Planned) -> Iterator[str]:
    noted = json.loads(run.attrs["provenance"])
    part = str(run.attrs.get("part", ""))
    names, texts, plans = set[str](), set[str | None](), set[str | None]()
    for place, study in enumerate(planned):
        own = study.each_part().get(part)
        if own is None or run.preset not in own.presets or run.seed not in own.seeds:
            continue
        texts.add(own.text_sha256)
        plans.add(study.plan_sha256)
        names.add(_runs(run, own, noted, known.setdefault((place, part), {}))[_name(run)])
    if not names:
        yield f"{run.label} is planned by no study file."
        return
    if run.key not in names:
        yield (
            f"{run.label} is {run.key}, and the study files plan {' or '.join(sorted(names))}: "
            f"its configuration, recipe or seed is another one."
        )
    if texts != {None} and noted.get("text_sha256") not in texts:
        yield f"{run.label} was trained on another text than the study file names."
    if noted.get("plan_sha256") not in plans:
        yield f"{run.label} was trained with another plan than plan.yaml."


def _name(run: Run | PlannedRun) -> tuple[str, int]:
    return run.preset, run.seed


def _runs(run: Run, study: Study, noted: Mapping[str, str], known: BySource) -> Keys:
    """Return the keys that a study gives to trainings with these tokens and this tokenizer."""
    vocabulary = json.loads(run.attrs["config"])["vocabulary"]
    source = (vocabulary, noted["data"], noted["tokenizer_sha256"])
    if source not in known:
        found = planned_runs(study, vocabulary=vocabulary, data=source[1], tokenizer=source[2])
        known[source] = {_name(each): each.key for each in found}
    return known[source]


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
