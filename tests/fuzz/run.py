"""Mutate what people may pass to dva-lens, and judge every answer.

python tests/fuzz/run.py                    # 1,500 cases
python tests/fuzz/run.py --cases 150 --seed 3
python tests/fuzz/run.py --only "a weight" --cases 20 --show

A case fails on a traceback, after 30 s, beyond 1 GiB of memory, where an earlier result changed,
where what must be refused is accepted, and on an answer that does not name the culprit.
"""

import argparse
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

import torch
from harness import Done, call, carry_out, linked, problems, restore
from subjects import COMMANDS, make
from table import MUTATIONS, Mutation

ARCHIVE = Path("runs/archive.zarr/runs")


def carried_out(command: Any, folder: Path) -> int:
    """Do what a command says in the current folder: a command line, or a call to the explorer."""
    if command == "closed":
        os.close(0)
        return call("measure", "own", "--text", "-", "--out", "new")
    if command == "explorer":
        return _asked(lambda client: client.get("/heads"))
    if command == "call":
        body = Path("call.json").read_bytes()
        return _asked(lambda client: _posted(client, body))
    if command[0] == "post":
        return _asked(lambda client: _posted(client, command[1]))
    if command[0] == "get":
        return _asked(lambda client: client.get(command[1]))
    return call(*command)


def _posted(client: Any, body: bytes) -> Any:
    return client.post("/_dash-update-component", data=body, content_type="application/json")


def _asked(ask: Callable[[Any], Any]) -> int:
    """Return 0 where the explorer answers or refuses, else the status of its own fault."""
    from dva_lens.app import create_app

    from dva_lens.results.schema import ArchiveError

    try:
        app = create_app("runs")
    except ArchiveError as error:
        print(error)
        return 1
    status = ask(app.server.test_client()).status_code
    return 0 if status < 500 else status


def state(folder: Path) -> str:
    """Return a hash of every file of the runs of an archive."""
    found = hashlib.sha256()
    for path in sorted(path for path in (folder / ARCHIVE).rglob("*") if path.is_file()):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


class Fuzz:
    """Everything a case needs: what is mutated, and what a child takes that does nothing."""

    def __init__(self, place: Path) -> None:
        self.place, self.base = place, place / "base"
        self.base.mkdir()
        made = carry_out(lambda: make(self.base) or 0, self.base)
        if made.code != 0:
            raise RuntimeError(made.words)
        self._warm()
        self.bytes = carry_out(lambda: 0, self.base).bytes

    def _warm(self) -> None:
        """Import here what the commands import, so that no child has to."""

        def work() -> int:
            codes = [carried_out("explorer", self.base)]
            for number, words in enumerate(COMMANDS.values()):  # each into a folder of its own
                into = tuple(f"new{number}" if word == "new" else word for word in words)
                codes.append(carried_out(into, self.base))
            Path("modules.json").write_text(json.dumps([*sys.modules]), encoding="utf-8")
            return max(codes)

        folder = self.place / "warm"
        linked(self.base, folder)
        done = carry_out(work, folder, seconds=600.0)
        if done.code != 0:
            raise RuntimeError(
                f"A command ends with {done.code} before anything is mutated:\n{done.words}"
            )
        for name in json.loads((folder / "modules.json").read_text()):
            if not name.startswith(("__mp_", "torch.ops", "torch.classes")) and "<" not in name:
                try:
                    importlib.import_module(name)
                except Exception:
                    continue
        shutil.rmtree(folder)

    def case(self, mutation: Mutation, draw: Random) -> tuple[Any, Done, list[str]]:
        """Carry out one case; return its command, what came of it, and what is wrong."""
        folder = self.place / "case"
        if not folder.exists():
            linked(self.base, folder)
        culprits = mutation.change(folder, draw)
        command = draw.choice(mutation.commands)
        before = state(folder) if mutation.earlier else ""
        done = carry_out(lambda: carried_out(command, folder), folder)
        found = problems(done, culprits, base=self.bytes, refused=mutation.refused)
        if mutation.earlier and done.code and state(folder) != before:
            found.append("an earlier result changed")
        restore(folder, self.base)
        return command, done, found


def drawn(mutations: list[Mutation], cases: int, seed: int) -> Iterator[Mutation]:
    """Yield so many mutations: all of them in turn, each time in another order."""
    draw, left = Random(seed), []
    for _ in range(cases):
        if not left:
            left = draw.sample(mutations, len(mutations))
        yield left.pop()


def main(words: list[str] | None = None) -> int:
    """Carry out the cases that were asked for; return 1 if one of them fails."""
    asked = _options(words)
    torch.set_num_threads(1)
    mutations = [one for one in MUTATIONS if asked.only in one.name]
    failed: Counter[str] = Counter()
    codes: Counter[object] = Counter()
    since = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder))
        print(f"ready after {monotonic() - since:.0f} s", flush=True)
        for number, mutation in enumerate(drawn(mutations, asked.cases, asked.seed)):
            if asked.case is not None and number != asked.case:
                continue
            command, done, found = fuzz.case(mutation, Random(f"{asked.seed} {number}"))
            codes[done.code] += 1
            if found or asked.show:
                said = " ".join(done.words.split())[-600:]
                what = f"{number} ({done.seconds:.1f} s): {mutation.name}; {repr(command)[:200]}"
                about = f"{what}: {', '.join(found)}"
                print(f"{about}\n    {said}", flush=True)
            if found:
                failed[mutation.name] += 1
            if number % 50 == 49:
                print(f"{number + 1} cases, {failed.total()} failures", flush=True)
        os.chdir("/")
    print(f"{sum(codes.values())} cases in {monotonic() - since:.0f} s, exit codes {dict(codes)}")
    print(f"{failed.total()} failures.")
    return bool(failed)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only mutations whose names hold this")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--show", action="store_true", help="show every answer")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
