"""Read an archive: its runs, their training logs and their measurements, opened when asked for."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.entries import Entry
from dva_lens.results.groups import open_group, read
from dva_lens.results.joining import over_texts
from dva_lens.results.measurement import Measurement
from dva_lens.results.moments import When
from dva_lens.results.outline import Outline, outline
from dva_lens.results.reader import Measurements
from dva_lens.results.runs import Run, archive_folder, runs_in
from dva_lens.results.schema import (
    BY_QUERY,
    CHECKPOINTS,
    EDGES,
    KEY_VALUES,
    RUNS,
    SCHEMA_VERSION,
    TOKEN,
    TRAINING,
    ArchiveError,
    check_described,
    former_names,
    texts_of,
)
from dva_lens.results.spans import Spans
from dva_lens.validation import meant

_ASIDE = (BY_QUERY, *EDGES, *KEY_VALUES)
"""Endings of variables that are read when somebody looks at single tokens."""


@final
@dataclass(frozen=True, repr=False)
class Archive:
    """The finished runs of a folder.

    `unreadable` maps the groups that could not be read to the reason; it takes nothing from the
    runs that can.
    """

    folder: Path
    runs: tuple[Run, ...]
    unreadable: Mapping[str, str]
    _read: dict[str, Measurements] = field(
        default_factory=dict[str, Measurements], init=False, repr=False, compare=False
    )

    def __repr__(self) -> str:
        trained: dict[str, list[str]] = {}
        for run in self.runs:
            trained.setdefault(run.model, []).append(str(run.seed))
        runs = [f"  {model}: seed {', '.join(seeds)}" for model, seeds in trained.items()]
        lost = [f"  {len(self.unreadable)} cannot be read"] if self.unreadable else []
        on = f" on {', '.join(self.texts)}" if self.runs else ""
        return "\n".join([f"Archive {self.folder}: {len(self.runs)} runs{on}", *runs, *lost])

    @property
    def catalogue(self) -> tuple[Mapping[str, Any], ...]:
        """What every run says of itself, one row per run."""
        return tuple({"key": run.key, **run.attrs} for run in self.runs)

    def run(self, name: str) -> Run:
        """Return the run with this key or label.

        Raises
        ------
        ArchiveError
            No run has this key or label.
        """
        for run in self.runs:
            if name in (run.key, run.label):
                return run
        held = ", ".join(run.label for run in self.runs)
        raise ArchiveError(f"No run {name!r} in {self.folder}; it holds: {held}.")

    @property
    def texts(self) -> tuple[str, ...]:
        """The evaluation texts that any run was measured on, the main one first."""
        return tuple(dict.fromkeys(text for run in self.runs for text in self.texts_of(run)))

    @property
    def main_texts(self) -> tuple[str, ...]:
        """The texts that runs were measured on first, one per part of a study, not controls."""
        return tuple(dict.fromkeys(self.texts_of(run)[0] for run in self.runs))

    @property
    def parts(self) -> "Mapping[str, Archive]":
        """The runs of each part of a study by themselves, by their main text.

        An archive of a single part is that part.
        """
        texts = self.main_texts
        if len(texts) < 2:
            return dict.fromkeys(texts, self)
        first = {
            text: [run for run in self.runs if self.texts_of(run)[0] == text] for text in texts
        }
        return {text: replace(self, runs=tuple(runs)) for text, runs in first.items()}

    def on(self, text: str | None = None) -> Measurements:
        """Return what all runs were measured to be on a text; default: the main one.

        Runs that were not measured on it do not appear; runs that cannot be read are named in
        `left_out`. Two runs of one model and seed, such as of an older recipe, are two models:
        the later one's label has its key.

        Raises
        ------
        ArchiveError
            If no run was measured on the text, or none can be read.

        Examples
        --------
        >>> measured = open_archive("runs/quick").on("shuffled")
        >>> measured.models
        ('transformer', 'dva')
        """
        name = text if text is not None else next(iter(self.texts), "")
        if name not in self._read:
            self._read[name] = self._measurements(name)
        return self._read[name]

    def values(
        self,
        name: str,
        *,
        entry: Entry = None,
        moment: When = "last",
        spans: Spans = "all",
        text: str | Sequence[str] | None = None,
    ) -> xr.DataArray:
        """Return a statistic over (model, seed, sequence, layer, head) on a text.

        `Measurements.values` says what the other arguments mean; default text: the main one.
        Several texts keep a dimension `text`, after `seed`.

        Raises
        ------
        ArchiveError
            If no run was measured on the text.
        KeyError
            If no run holds the statistic.

        Examples
        --------
        >>> archive = open_archive("runs/quick")
        >>> archive.values("entropy").dims
        ('model', 'seed', 'sequence', 'layer', 'head')
        >>> archive.values("sink_rate:0.3", spans=[3, 4]).sel(model="dva").dims
        ('seed', 'sequence', 'layer', 'head')
        """
        if text is None or isinstance(text, str):
            return self.on(text).values(name, entry=entry, moment=moment, spans=spans)
        return over_texts(
            {
                each: self.on(each).values(name, entry=entry, moment=moment, spans=spans)
                for each in text
            }
        )

    @property
    def former_names(self) -> str:
        """One line on what an older schema calls otherwise, empty for an archive of this one."""
        schemas = [int(run.attrs.get("schema", SCHEMA_VERSION)) for run in self.runs]
        return former_names(min(schemas, default=SCHEMA_VERSION))

    def texts_of(self, run: Run | str) -> tuple[str, ...]:
        """Return the names of the texts that a run was measured on, the main one first."""
        return texts_of(self._find(run).attrs)

    def dataset(
        self, run: Run | str, text: str | None = None, *, chunks: Any = None
    ) -> xr.Dataset:
        """Open the measurement of a run on a text, lazily; default: the main one.

        With `chunks`, such as {} for those of the archive, its variables are dask arrays.

        Raises
        ------
        ArchiveError
            If the run was not measured on the text, or its group cannot be read.
        ModuleNotFoundError
            If there are `chunks`, and dask, the extra `cluster`, is not installed.
        """
        if chunks is not None and find_spec("dask") is None:
            raise ModuleNotFoundError(
                "Chunks are arrays of dask, which is not installed; get it with "
                "`pip install 'dva-lens[cluster]'`."
            )
        found = self._find(run)
        texts = self.texts_of(found)
        name = text if text is not None else next(iter(texts), "")
        if name not in texts:
            raise ArchiveError(
                f"Run {found.label} was not measured on {name!r}; it was on: {', '.join(texts)}."
            )
        return self._open(found, name, chunks)

    def outline(self, run: Run | str, text: str) -> Outline:
        """Return what the measurement of a run on a text holds, its numbers unread.

        Raises
        ------
        ArchiveError
            If its group cannot be read.
        """
        found = self._find(run)
        return outline(found.group / text, self._name(found, text))

    def training(self, run: Run | str) -> xr.Dataset:
        """Open the training log of a run: loss, held-out loss, seconds and tokens per step."""
        return self._open(self._find(run), TRAINING)

    def checkpoint(self, run: Run | str) -> Path:
        """Return the folder in which the trained model of a run is kept."""
        return self.folder / CHECKPOINTS / self._find(run).label

    def trainings(self, text: str | None = None) -> dict[str, tuple[xr.Dataset, ...]]:
        """Return the training logs by model, one per seed; models measured only have none.

        They are those of the runs that were measured on a text; default: the main one.
        """
        name = text if text is not None else next(iter(self.texts), "")
        found: dict[str, list[xr.Dataset]] = {}
        for run in self.runs:
            if name not in self.texts_of(run):
                continue
            try:
                log = read(self.training(run), self._name(run, TRAINING))
                log = log.assign_attrs(seed=run.seed, label=run.label)
            except ArchiveError:
                continue
            found.setdefault(run.model, []).append(log)
        return {model: tuple(logs) for model, logs in found.items()}

    def display(self, run: Run | str, text: str | None = None) -> xr.Dataset:
        """Return the tokens and per-query numbers of the sequences kept for display.

        Raises
        ------
        ArchiveError
            If none were kept, or the run was not measured on the text.
        """
        opened = self.dataset(run, text)
        kept = [str(name) for name in opened.data_vars if str(name).endswith(BY_QUERY)]
        if not kept or TOKEN not in opened:
            raise ArchiveError(
                f"{self._find(run).label} kept no single tokens on this text; measure with "
                f"keep='query' to see them."
            )
        named = {name: opened[name] for name in (axes.LENGTH, axes.DOCUMENT)}
        shown = opened[[*kept, TOKEN]].assign_coords(named)
        found = self._find(run)
        texts = self.texts_of(found)
        return read(shown, self._name(found, text if text is not None else next(iter(texts), "")))

    def _measurements(self, text: str) -> Measurements:
        held = [run for run in self.runs if text in self.texts_of(run)]
        if not held:
            raise ArchiveError(
                f"No run of {self.folder} was measured on "
                f"{text!r}{meant(text, self.texts)}; there are: "
                f"{', '.join(self.texts)}."
            )
        parts: dict[tuple[str, int], Measurement] = {}
        lost: list[str] = []
        for run in held:
            try:
                data = read(
                    self.dataset(run, text),
                    self._name(run, text),
                    but=(BY_QUERY, *EDGES, *KEY_VALUES),
                )
                check_described(data, self._name(run, text))
            except ArchiveError as error:
                lost.append(str(error))
                continue
            name = run.model if (run.model, run.seed) not in parts else _apart(run)
            parts[name, run.seed] = Measurement(name, run.seed, run.label, data)
        if not parts:
            raise ArchiveError(" ".join(lost))
        return Measurements(tuple(parts.values()), text, tuple(lost))

    def _find(self, run: Run | str) -> Run:
        return self.run(run) if isinstance(run, str) else run

    def _open(self, run: Run, group: str, chunks: Any = None) -> xr.Dataset:
        return open_group(run.group, group, self._name(run, group), chunks)

    def _name(self, run: Run, group: str) -> str:
        return f"/{RUNS}/{run.key}/{group} of {self.folder}"


def open_archive(folder: Path | str) -> Archive:
    """Open the archive that a study or a measurement left in a folder, or one that is shipped.

    `reference` opens the reference results, which come with the package.

    Raises
    ------
    ArchiveError
        The folder holds no archive, or no finished run that can be read.

    Examples
    --------
    >>> archive = open_archive("runs/quick")
    >>> archive.texts
    ('held-out', 'shuffled')
    >>> archive.runs[0].label
    'transformer-0'
    """
    archive = scan(archive_folder(Path(folder)))
    if not archive.runs:
        reasons = " ".join(archive.unreadable.values())
        raise ArchiveError(
            f"{archive.folder} holds no finished run yet; the command that started it continues "
            f"it. {reasons}".rstrip()
        )
    return archive


def scan(folder: Path) -> Archive:
    """Return the runs of a folder as they are, also where there is none yet."""
    return Archive(folder, *runs_in(folder))


def _apart(run: Run) -> str:
    return f"{run.model} ({run.key[:8]})"
