"""What checks of a GPU found, in one small file that a later run goes on with."""

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from dva_lens.writing import write_text

from .gpu_table import sources

Result = dict[str, Any]
UNSAID = ("holds", "sources", "seconds_taken")


@final
@dataclass(frozen=True)
class Ledger:
    """Results by the name of their check, written down as they come."""

    path: Path
    machine: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Result] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock, compare=False, repr=False)

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """Read what is written down, or begin with nothing."""
        if not path.exists():
            return cls(path)
        held = json.loads(path.read_text())
        checks = held.pop("checks", {})
        return cls(path, held, checks)

    def begin(self, machine: dict[str, Any]) -> None:
        """Say which machine results are of; those of another one are dropped."""
        if self.machine and self.machine != machine:
            self.checks.clear()
        self.machine.clear()
        self.machine.update(machine)

    def has(self, name: str) -> bool:
        """Say whether a check succeeded with the sources as they are."""
        held = self.checks.get(name)
        return held is not None and "error" not in held and held["sources"] == sources(name)

    def holds(self, name: str) -> bool:
        """Say whether a check was made and holds."""
        return self.has(name) and bool(self.checks[name]["holds"])

    def keep(self, name: str, result: Result) -> None:
        """Write a result down beside the others."""
        with self.lock:
            self.checks[name] = {**result, "sources": sources(name)}
            ordered = dict(sorted(self.checks.items()))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({**self.machine, "checks": ordered}, indent=1)
            write_text(self.path, text + "\n")

    def table(self, names: list[str]) -> str:
        """Return what is known of checks, one line each."""
        lines = []
        for name in names:
            held = self.checks.get(name)
            if held is None:
                said = "not run"
            elif "error" in held:
                said = "FAILED: " + held["error"].strip().rpartition("\n")[2]
            else:
                said = "holds" if held["holds"] else "DOES NOT HOLD"
                said += "".join(f"  {key} {each}" for key, each in _figures(held).items())
            lines.append(f"{name:32s} {said}\n")
        return "".join(lines)


def _figures(held: Result) -> dict[str, Any]:
    worst = held.get("worst")
    if worst:
        name = max(worst, key=lambda each: worst[each])
        return {"worst": f"{name} {worst[name]}"}
    return {key: each for key, each in held.items() if key not in UNSAID}
