"""Plant known faults one by one in a copy of the tree, and demand that a test catches each.

python tests/planted/run.py             # all of them
python tests/planted/run.py "two classes" rollout
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FAULTS = Path(__file__).with_name("faults.toml")
MAPPED = ("app", "analyses")
"""Folders that are installed as subpackages; in the copy they are links within the package."""


class Fault(NamedTuple):
    """A small change of one file, and the test that must fail under it."""

    name: str
    path: str
    old: str
    new: str
    test: str


def faults() -> tuple[Fault, ...]:
    """Return the list of faults."""
    return tuple(Fault(**each) for each in tomllib.loads(FAULTS.read_text())["fault"])


def problems(listed: Sequence[Fault], root: Path) -> list[str]:
    """Return what is wrong with the list: lines that moved, tests that are gone, equal names."""
    found = [] if len({each.name for each in listed}) == len(listed) else ["two share a name"]
    for each in listed:
        path, _, test = each.test.partition("::")
        code, tests = root / each.path, root / path
        count = code.read_text().count(each.old) if code.is_file() else 0
        if count != 1:
            found.append(f"{each.name}: `old` stands {count} times in {each.path}")
        if each.old == each.new:
            found.append(f"{each.name}: nothing changes")
        if not tests.is_file() or f"def {test.partition('[')[0]}(" not in tests.read_text():
            found.append(f"{each.name}: there is no test {each.test}")
    return found


def copy(root: Path, target: Path) -> None:
    """Copy the tree that git knows of, with whatever has not been committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    for folder in MAPPED:
        (target / "dva_lens" / folder).symlink_to(target / folder)


def run(tests: Sequence[str], tree: Path) -> subprocess.CompletedProcess[str]:
    """Run tests in a tree, in a process of its own that writes no bytecode."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tree,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def caught(fault: Fault, tree: Path) -> bool:
    """Plant a fault, run its test, and take the fault out; a test that cannot start is not one."""
    path = tree / fault.path
    text = path.read_text()
    path.write_text(text.replace(fault.old, fault.new))
    try:
        done = run([fault.test], tree)
    finally:
        path.write_text(text)
    return done.returncode == 1 and f"FAILED {fault.test}" in done.stdout


def main(wanted: Sequence[str]) -> int:
    """Plant the faults whose names hold a wanted word, or all; return an exit code."""
    chosen = [each for each in faults() if not wanted or any(word in each.name for word in wanted)]
    wrong = problems(chosen, ROOT) or ([] if chosen else ["no fault has such a name"])
    if wrong:
        print("\n".join(wrong))  # noqa: T201
        return 1
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy(ROOT, tree)
        sound = run(sorted({each.test for each in chosen}), tree)
        if sound.returncode:
            print(f"The tests fail without any fault:\n{sound.stdout[-3000:]}")  # noqa: T201
            return 1
        for fault in chosen:
            found = caught(fault, tree)
            print(f"{'caught' if found else 'MISSED'}  {fault.name}", flush=True)  # noqa: T201
            missed += [] if found else [fault]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults are caught.")  # noqa: T201
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
