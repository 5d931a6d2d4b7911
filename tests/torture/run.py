"""Kill what writes at every file operation and at random; the same command must then finish it.

python tests/torture/run.py                # 3 kills at each kind of operation, 165 random ones
python tests/torture/run.py --per 0        # a kill at each single operation
python tests/torture/run.py --jobs "a study" tables
python tests/torture/run.py --per 1 --random 0 --at "state|catalogue"

With the clock stopped, a folder that was interrupted must end equal to one that was not, file by
file and byte by byte: weights, archive, catalogue and tables, and no draft beside them.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import monotonic

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

from jobs import JOBS, Job, prepare
from kills import (
    Point,
    audit_what_rust_writes,
    ended,
    forked,
    killed_after,
    killed_at,
    operations,
    points,
)

OUT, LOG = Path("out"), Path("log")


def content(folder: Path) -> dict[str, str]:
    """Return a hash of every file of a folder, and the folders that hold none."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = hashlib.sha256(_ordered(path)).hexdigest()
        elif not any(path.iterdir()):
            found[name] = "an empty folder"
    return found


def _ordered(file: Path) -> bytes:
    """Return what a file holds; the keys of a header of safetensors stand in any order."""
    held = file.read_bytes()
    if file.suffix != ".safetensors":
        return held
    end = 8 + int.from_bytes(held[:8], "little")
    return json.dumps(json.loads(held[8:end]), sort_keys=True).encode() + held[end:]


class Torture:
    """A job with the folder it begins with, the folder it ends with, and how it gets there."""

    def __init__(self, name: str, job: Job, *, check: bool) -> None:
        self.name, self.job = name, job
        self.start = Path(f"start-{len(list(Path().glob('start-*')))}")
        self.failures: list[str] = []
        self.killed = self.tried = 0
        shutil.rmtree(OUT, ignore_errors=True)
        for step in job.before:
            self._must(forked(step, LOG))
        self._keep()
        since = monotonic()
        self.found = operations(job.work, OUT.absolute(), LOG)
        self.seconds = monotonic() - since
        self.end = content(OUT)
        if check:
            self._check()

    def _check(self) -> None:
        """Refuse a job that ends otherwise each time: it would not show what a kill changes."""
        self._back()
        self._must(forked(self.job.work, LOG))
        if content(OUT) != self.end:
            raise RuntimeError(f"{self.name} does not end twice alike: {self._different()}")

    def at(self, point: Point) -> None:
        """Kill the job at a point, and let it finish."""
        self._back()
        self._judge(killed_at(self.job.work, point, OUT.absolute(), LOG), str(point))

    def within(self, *shares: float) -> None:
        """Kill the job after shares of its time, one kill after the other, and let it finish."""
        self._back()
        killed = [killed_after(self.job.work, share * self.seconds, LOG) for share in shares]
        when = " and ".join(f"{share:.0%}" for share in shares)
        self._judge(any(killed), f"after {when} of {self.seconds:.1f} s")

    def _judge(self, killed: bool, when: str) -> None:
        self.tried += 1
        self.killed += killed
        if ended(forked(self.job.work, LOG)):
            said = (LOG.read_text(errors="replace").strip() or "no word").splitlines()[-1]
            self.failures.append(f"killed {when}, it does not continue: {said}")
        elif content(OUT) != self.end:
            self.failures.append(f"killed {when}, it ends differently: {self._different()}")

    def _different(self) -> str:
        found, due = content(OUT), self.end
        names = sorted(name for name in {*found, *due} if found.get(name) != due.get(name))
        said = [
            f"{name} {'is missing' if name not in found else 'is new' if name not in due else ''}"
            for name in names[:3]
        ]
        return ", ".join(said).rstrip() + (f" and {len(names) - 3} more" if names[3:] else "")

    def _keep(self) -> None:
        shutil.rmtree(self.start, ignore_errors=True)
        if OUT.exists():
            shutil.copytree(OUT, self.start)

    def _back(self) -> None:
        shutil.rmtree(OUT, ignore_errors=True)
        if self.start.exists():
            shutil.copytree(self.start, OUT)

    def _must(self, child: int) -> None:
        if ended(child):
            raise RuntimeError(f"{self.name} fails without being killed:\n{LOG.read_text()}")


def chosen(every: Iterable[Point], per: int, draw: random.Random) -> list[Point]:
    """Return at most `per` points of each kind, the first and the last among them."""
    kinds: dict[tuple[str, bool], list[Point]] = {}
    for point in every:
        kinds.setdefault((point.operation, point.torn), []).append(point)
    found = []
    for of_kind in kinds.values():
        if not per or len(of_kind) <= per:
            found += of_kind
            continue
        middle = draw.sample(of_kind[1:-1], max(per - 2, 0))
        found += ([of_kind[0], of_kind[-1]] if per > 1 else [draw.choice(of_kind)]) + middle
    return found


def tortured(name: str, asked: argparse.Namespace) -> Torture:
    """Kill a job as often as asked for."""
    draw = random.Random(f"{asked.seed} {name}")
    one = Torture(name, JOBS[name], check=not asked.at)
    wanted = [point for point in points(one.found) if re.search(asked.at, point.operation)]
    for point in chosen(wanted, asked.per, draw):
        one.at(point)
    for _ in range(asked.random):
        one.within(*(draw.uniform(0.05, 0.95) for _ in range(draw.choice((1, 1, 2)))))
    return one


def main(words: list[str] | None = None) -> int:
    """Torture the jobs that were asked for; return 1 if one does not end as it should."""
    asked = _asked(words)
    audit_what_rust_writes()
    failed = killed = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for name in asked.jobs:
            since = monotonic()
            one = tortured(name, asked)
            failed += len(one.failures)
            killed, tried = killed + one.killed, tried + one.tried
            print(
                f"{name}: {sum(one.found.values())} operations of {len(one.found)} kinds; "
                f"{one.killed} kills, {len(one.failures)} failures, {monotonic() - since:.0f} s",
                flush=True,
            )
            for failure in one.failures:
                print(f"  {failure}", flush=True)
        os.chdir("/")
    print(f"{killed} kills, {failed} failures.")
    if killed < 0.8 * tried:
        print(f"Only {killed} of {tried} trials were killed in time; the machine is too busy.")
        return 1
    return bool(failed)


def _asked(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--per", type=int, default=3, help="kills of each kind; 0: all")
    parser.add_argument("--random", type=int, default=15, help="random kills of each job")
    parser.add_argument("--at", default="", help="only operations that match this expression")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
