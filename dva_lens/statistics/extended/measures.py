"""The table of measures that tiles feed: one entry per number, by the name of its statistic."""

from dva_lens.plugins import Registry
from dva_lens.statistics.extended import (
    accounts,
    aggregation,
    bound,
    concentration,
    dynamic,
    heads,
    norms,
)
from dva_lens.statistics.extended.tiles import Measure

_MEASURES: dict[str, Measure] = {
    **concentration.MEASURES,
    **bound.MEASURES,
    **norms.MEASURES,
    **aggregation.MEASURES,
    **accounts.MEASURES,
    **heads.MEASURES,
    **dynamic.MEASURES,
}
MEASURES: Registry[Measure] = Registry(_MEASURES)
