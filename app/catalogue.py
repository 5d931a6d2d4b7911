"""What an archive lets a reader choose; every address is checked against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from dva_lens.statistics.statistic import Place

Offer = Literal["layers", "heads", "queries"]


@final
@dataclass(frozen=True)
class Choice:
    """One measured run: `key` is its name in the archive and `name` its name in addresses."""

    key: str
    name: str
    model: str
    seed: int
    layers: int
    heads: int
    probes: tuple[str, ...]


@final
@dataclass(frozen=True)
class Measure:
    """One number a page can show: a variable of the archive, at one place of its extra dimension.

    `name` is what addresses say: the variable, and after a dot the place of its extra dimension.
    `long_name` says the place as well, `variable_name` does not.
    """

    name: str
    variable: str
    at: Place
    long_name: str
    variable_name: str
    units: str
    meaning: str = ""
    formula: str = ""
    source: str = ""
    pitfalls: str = ""
    why_no_reference: str = ""
    extra: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def per_head(self) -> bool:
        """Say whether heads differ in it."""
        return self.at in ("query", "head", "kv_head")

    @property
    def spans(self) -> bool:
        """Say whether it is kept by the number of visible keys."""
        return self.at == "query"

    @property
    def label(self) -> str:
        """Return its name and units as an axis says them."""
        bare = self.units in ("", "1")
        return self.long_name if bare else f"{self.long_name} [{self.units}]"


@final
@dataclass(frozen=True)
class Menu:
    """Runs, texts, measures and spans of one archive, in the order in which menus show them."""

    runs: tuple[Choice, ...]
    probes: tuple[str, ...]
    measures: tuple[Measure, ...]
    spans: tuple[int, ...]
    usual_span: int
    refused: tuple[str, ...] = ()

    def run(self, name: str) -> Choice:
        """Return the run of a name, or the first one."""
        return next((run for run in self.runs if run.name == name), self.runs[0])

    def measure(self, name: str) -> Measure:
        """Return the measure of a name, or the first one."""
        return next((found for found in self.measures if found.name == name), self.measures[0])

    @property
    def head_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which heads differ."""
        return tuple(found for found in self.measures if found.per_head)

    @property
    def query_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which the queries of a text differ."""
        return tuple(found for found in self.measures if found.at == "query")

    def offered(self, to: Offer) -> tuple[Measure, ...]:
        """Return the measures that a page about layers, heads or queries can show."""
        if to == "layers":
            return self.layer_measures
        return self.head_measures if to == "heads" else self.query_measures

    @property
    def layer_measures(self) -> tuple[Measure, ...]:
        """Return the measures in which layers differ."""
        return tuple(found for found in self.measures if found.at != "model")
