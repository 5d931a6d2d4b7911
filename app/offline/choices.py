"""What readers of exported pages can choose: some values of every field of a selection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from dva_lens.validation import meant

from ..catalogue import Catalogue
from ..page import Page
from ..state import ORDERS, PLACES, Selection

STATISTICS = ("entropy", "first_key_mass", "value_drain", "dynamism")
"""Statistics that are exported unless others are named."""
SECOND = "first_key_mass"
"""What a statistic is set against, unless it is that one itself."""
IN_THE_BROWSER = ("token", "mode", "step", "brush")
"""Fields that scripts alone read."""


@final
@dataclass(frozen=True)
class Choices:
    """The values that are exported, by field; a field that is not named has one value.

    `sizes` are the layers and heads of every run, and `statistics` what each page can show.
    """

    fields: dict[str, tuple[str | int, ...]]
    sizes: dict[str, tuple[int, int]]
    statistics: dict[str, tuple[str, ...]]

    def of(self, field: str, chosen: Selection) -> Sequence[str | int]:
        """Return the values that a field of a selection can have."""
        if field in ("layer", "head"):
            return range(self.sizes[chosen.run][field == "head"])
        return self.fields.get(field, (getattr(chosen, field),))

    def fit(self, chosen: Selection, page: Page) -> Selection:
        """Return a selection with heads that its run has and statistics that a page can show."""
        layers, heads = self.sizes[chosen.run]
        inside = chosen.but(layer=min(chosen.layer, layers - 1), head=min(chosen.head, heads - 1))
        names = self.statistics[page.path]
        if not names:
            return inside
        statistic = chosen.statistic if chosen.statistic in names else names[0]
        others = [name for name in sorted(names, key=SECOND.__ne__) if name != statistic] or names
        other = chosen.other if chosen.other in others else others[0]
        return inside.but(statistic=statistic, other=other)


def choices_of(
    catalogue: Catalogue,
    pages: Iterable[Page],
    *,
    runs: Sequence[str] = (),
    statistics: Sequence[str] = (),
    sequences: int = 1,
) -> Choices:
    """Return what is exported: by default the first run of every model and `STATISTICS`.

    `sequences` is how many of the texts that are kept for display can be chosen.

    Raises
    ------
    ValueError
        A run or statistic is not in the archive; the message names those that are.
    """
    held = {run.name: (run.layers, run.heads) for run in catalogue.runs}
    measures = [measure.name for measure in catalogue.measures]
    chosen = _known("run", runs, held) or tuple(catalogue.first_runs.values())
    usual = tuple(name for name in measures if name in STATISTICS) or tuple(measures[:1])
    shown = _known("statistic", statistics, measures) or usual
    return Choices(
        fields={
            "run": chosen,
            "text": tuple(catalogue.texts),
            "statistic": shown,
            "other": shown,
            "baseline": tuple(catalogue.first_runs),
            "order": ORDERS,
            "by": PLACES,
            "sequence": tuple(range(sequences)),
        },
        sizes={name: held[name] for name in chosen},
        statistics={page.path: _offered(catalogue, page, shown) for page in pages},
    )


def _offered(catalogue: Catalogue, page: Page, shown: Sequence[str]) -> tuple[str, ...]:
    """Return the statistics that a page can show, of those that are exported."""
    return tuple(each.name for each in catalogue.offered(page.about) if each.name in shown)


def _known(what: str, named: Sequence[str], held: Iterable[str]) -> tuple[str, ...]:
    """Return names in their order, each once, all of which are held."""
    known = list(held)
    for name in named:
        if name not in known:
            raise ValueError(
                f"The archive holds no {what} {name!r}{meant(name, known)}; it holds "
                f"{', '.join(known)}."
            )
    return tuple(dict.fromkeys(named))
