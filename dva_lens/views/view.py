"""What there is to know of a way to draw data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

from dva_lens.views.figure import Figure

UNIFORM = "uniform attention"


@final
@dataclass(frozen=True)
class View:
    """A way to draw data: the function, the question it answers, and the statistics it needs.

    `needs` is empty where the reader chooses the statistic. `of` says whether it draws what was
    measured on a text, what was kept of single queries, or the log of a training. `against` names
    the yardstick that the numbers are drawn beside. `section` is the section of a report that
    draws it, wherever its statistics are held; none if empty.
    """

    function: Callable[..., Figure]
    title: str
    question: str
    needs: tuple[str, ...] = ()
    of: Literal["measurement", "queries", "training"] = "measurement"
    against: str = UNIFORM
    section: str = ""

    @property
    def name(self) -> str:
        """The name of the function, which the table of views holds too."""
        return self.function.__name__
