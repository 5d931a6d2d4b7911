"""Archives as tables: one row per number, for tools that read tables, and the one CSV writer."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.entries import EVERY
from dva_lens.results.estimates import estimate
from dva_lens.results.measurement import LAYERS, Measurement
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import statistics_of
from dva_lens.writing import write_text

Rows = Sequence[Mapping[str, object]]


def run_table(archive: Archive) -> pd.DataFrame:
    """Return one row per run with everything it says of itself."""
    return pd.DataFrame([dict(row) for row in archive.catalogue])


def statistic_tables(archive: Archive) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each statistic with one row per run, text and number; absent numbers stay out.

    `rows` says how many queries a number is the mean of, where it is one.
    """
    held = [(text, part) for text in archive.texts for part in archive.on(text).parts]
    for name in dict.fromkeys(name for _, part in held for name in statistics_of(part.data)):
        parts = [_numbers(part, name, text) for text, part in held if name in part.data]
        yield name, pd.concat(parts, ignore_index=True)


def mean_table(archive: Archive) -> pd.DataFrame:
    """Return the mean of each statistic by text and model, with its interval and reference."""
    found: list[dict[str, object]] = []
    for text in archive.texts:
        measured = archive.on(text)
        for name in measured.statistics:
            values = measured.values(name)
            means, level = estimate(values), measured.reference(name)
            uniform = None if level is None else estimate(level)["value"]
            for model in means[axes.MODEL].values:
                one = means.sel({axes.MODEL: model})
                row: dict[str, object] = {"text": text, "statistic": name, "model": str(model)}
                row |= {column: one[column].item() for column in ("value", "low", "high")}
                row["uniform"] = None if uniform is None else uniform.sel(model=model).item()
                row |= {n: one[n].item() for n in ("sequences", "documents", "trainings")}
                row |= {word: values.attrs.get(word, "") for word in ("units", "entry", "moment")}
                found.append(row)
    return pd.DataFrame(found)


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], *said: str) -> str:
    """Return a table as CSV, after comment lines that describe it; None leaves a cell empty.

    Text that a spreadsheet would run as a formula is quoted; a number written as text is none.
    """
    return _written(columns, ([_inert(cell) for cell in row] for row in rows), *said)


def _written(columns: Sequence[str], rows: Iterable[Sequence[object]], *said: str) -> str:
    """Write rows whose cells are inert already."""
    out = io.StringIO()
    out.writelines(f"# {' '.join(line.split())}\n" for line in said)
    writer = csv.writer(out, lineterminator="\n")
    if columns:
        writer.writerow([_inert(column) for column in columns])
    writer.writerows(rows)
    return out.getvalue()


def write_csv(rows: Rows | pd.DataFrame, path: Path) -> Path:
    """Write rows with named columns as CSV, whole or not at all; return the path.

    Raises
    ------
    OSError
        If the file cannot be written; no draft is left behind.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    frame = frame.apply(_inert_column)
    cells = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
    return write_text(path, _written([str(name) for name in frame.columns], cells))


def _inert_column(column: pd.Series) -> pd.Series:
    return column if is_numeric_dtype(column) else column.map(_inert, na_action="ignore")


def _inert(cell: object) -> object:
    if not isinstance(cell, str) or cell[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return cell
    return cell if _is_number(cell) else f"'{cell}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(part: Measurement, name: str, text: str) -> pd.DataFrame:
    values = Measurements((part,), text).values(name, entry=EVERY, moment="every", spans="each")
    one = values.isel({axes.MODEL: 0, axes.SEED: 0}, drop=True).drop_vars(LAYERS, errors="ignore")
    rows = one.rename("value").to_dataframe().reset_index().dropna(subset=["value"])
    about = {"run": part.label, axes.MODEL: part.model, axes.SEED: part.seed, "text": text}
    for place, (column, value) in enumerate(about.items()):
        rows.insert(place, column, value)
    return rows
