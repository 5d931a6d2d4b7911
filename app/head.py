"""A head and how it is named, in addresses and wherever a reader names one."""

import re
from typing import NamedTuple, final

NO_HEAD = "none"
_SEVERAL = re.compile(r"L[0-9]{1,6}H[0-9]{1,6}(_L[0-9]{1,6}H[0-9]{1,6}){0,127}")
_NAMED = re.compile(r"(.+)\.L([0-9]{1,6})H([0-9]{1,6})", re.DOTALL)


@final
class Head(NamedTuple):
    """One head of one run."""

    run: str
    layer: int
    head: int

    def __str__(self) -> str:
        """Return the head as addresses name it: `transformer-0.L2H3`."""
        return f"{self.run}.{self.name}"

    @property
    def name(self) -> str:
        """The head without its run: `L2H3`."""
        return f"L{self.layer}H{self.head}"


def head_named(name: str) -> Head | None:
    """Return the head of a name, or None where the name is not formed like one of a head."""
    found = _NAMED.fullmatch(name)
    return Head(found[1], int(found[2]), int(found[3])) if found else None


def several_heads(names: str) -> str:
    """Return heads as addresses name several of one run (`L2H3_L4H0`), or that there are none."""
    return names if _SEVERAL.fullmatch(names) else NO_HEAD
