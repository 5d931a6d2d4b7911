"""Archives as tables: one row per number, for tools that read tables."""

from collections.abc import Iterator

import pandas as pd
import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive, Run
from dva_lens.results.schema import statistics_of


def run_table(archive: Archive) -> pd.DataFrame:
    """Return one row per run with everything it says of itself."""
    return pd.DataFrame([dict(row) for row in archive.catalogue])


def statistic_tables(archive: Archive) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each statistic with one row per run, text and number; absent numbers stay out."""
    opened = [
        (run, probe, archive.dataset(run, probe))
        for run in archive.runs
        for probe in archive.probes(run)
    ]
    for name in dict.fromkeys(name for _, _, data in opened for name in statistics_of(data)):
        parts = [_rows(data, name, run, probe) for run, probe, data in opened if name in data]
        yield name, pd.concat(parts, ignore_index=True)


def _rows(data: xr.Dataset, name: str, run: Run, probe: str) -> pd.DataFrame:
    rows = data[name].to_dataframe().reset_index().dropna(subset=[name])
    about = {"run": run.label, axes.MODEL: run.model, axes.SEED: run.seed, "probe": probe}
    for place, (column, value) in enumerate(about.items()):
        rows.insert(place, column, value)
    return rows.rename(columns={name: "value"})
