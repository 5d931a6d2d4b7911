"""What reads tiles and states while a model runs: the measures that some statistics need."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile
from dva_lens.sites import GEOMETRY, TILES, WRITTEN
from dva_lens.statistics.extended.geometry import CLOUD_MEASURES, cloud_numbers
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.tiles import Measure, gather, stacked
from dva_lens.statistics.statistic import Statistic


@final
@dataclass(frozen=True)
class StatisticReader:
    """A `records.PassReader` for chosen statistics; it keeps nothing between layers."""

    measures: Mapping[str, Measure]
    shapes: tuple[str, ...]
    written: frozenset[str] = frozenset()
    in_one_text: frozenset[str] = frozenset()

    @classmethod
    def of(cls, statistics: Iterable[Statistic]) -> "StatisticReader":
        """Choose the measures that these statistics need."""
        statistics = tuple(statistics)
        rows = [entry.name for entry in statistics if TILES in entry.needs]
        clouds = [entry.name for entry in statistics if GEOMETRY in entry.needs]
        return cls(
            {name: MEASURES[name] for name in rows},
            tuple(name for name in clouds if name in CLOUD_MEASURES),
            frozenset(entry.name for entry in statistics if WRITTEN in entry.needs),
            frozenset(entry.name for entry in statistics if entry.one_text),
        )

    def tiles(self, sequences: Iterable[tuple[int, Iterable[RowTile]]]) -> dict[str, np.ndarray]:
        """Return the numbers of one layer, the sequence first.

        Those that need the output projection are left out where it is not known, and those that
        compare places where queries are of another text than keys.
        """
        return stacked(
            [
                gather(
                    tiles,
                    self.measures,
                    length,
                    written=self.written,
                    in_one_text=self.in_one_text,
                )
                for length, tiles in sequences
            ]
        )

    def geometry(self, clouds: Iterable[Float[np.ndarray, "_ channel"]]) -> dict[str, np.ndarray]:
        """Return the shapes of the states after one layer, the sequence first."""
        return stacked([cloud_numbers(states, self.shapes) for states in clouds])
