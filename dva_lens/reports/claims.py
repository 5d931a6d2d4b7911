"""What a report claims, as values that can be kept and held against the data again.

Claims are the findings of the report on every main text: the strongest sink of every model, and
every primary contrast of the one comparison, each with its state, its value and interval, how many
units these stand on, and a hash of the numbers they come from.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from pydantic import Field

from dva_lens import axes
from dva_lens.files import read_json
from dva_lens.reports.findings import findings_of, measured_on
from dva_lens.results.archive import Archive
from dva_lens.results.compare import compare
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import ArchiveError, NotComparableError, content_hash
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.validation import Many, Number, Value
from dva_lens.views.words import shown

FORMAT, VERSION = "dva-lens claims", 1
LARGEST = 1 << 24
MASS = "first_key_mass"
OPEN = "undecided"


@final
class ReportedClaim(Value, frozen=True):
    """One claim: what is said of a model on a text, and the numbers that it stands on.

    `state` is "sink" or "no sink" of the strongest sink of a model, and "higher", "lower" or
    "undecided" of a difference from the `baseline`. `value` with `low` and `high`, its 95 %
    interval, is null where there is none; `n` counts the documents or seeds of the interval.

    Raises
    ------
    ValueError
        A key is missing, unknown or of another type.
    """

    called: ClassVar[str] = "claim of a report"

    text: str
    model: str
    baseline: str | None
    statistic: str
    contrast: str | None
    state: Literal["sink", "no sink", "higher", "lower", "undecided"]
    value: Number | None
    low: Number | None
    high: Number | None
    n: Annotated[int, Field(ge=0)]
    units: Literal["documents", "seeds"]
    hash: str

    @property
    def about(self) -> str:
        """What the claim is about, in words."""
        than = "" if self.baseline is None else f" against {self.baseline}"
        where = "" if self.contrast is None else f" ({self.contrast})"
        return f"{self.statistic} of {self.model}{than}{where} on {self.text or 'the text'}"

    @property
    def numbers(self) -> str:
        """The value with its interval, in words."""
        return shown(*(np.nan if e is None else e for e in (self.value, self.low, self.high)))


@final
class ReportedClaims(Value, frozen=True):
    """What a file of claims holds: whose they are, by the keys of its runs, and the claims.

    Raises
    ------
    ValueError
        A key is missing, unknown or of another type.
    """

    called: ClassVar[str] = "file of claims"

    format: Literal["dva-lens claims"]
    version: Literal[1]
    archive: str
    runs: dict[str, str]
    claims: Many[ReportedClaim]


def claims_of(archive: Archive) -> ReportedClaims:
    """Return what a report of an archive claims.

    Raises
    ------
    ArchiveError
        If no run was measured on any text.
    """
    found: list[ReportedClaim] = []
    for text in archive.main_texts:
        measured, untrained = measured_on(archive, text)
        found += _sinks(measured, untrained)
        found += _changes(measured)
    runs = {run.label: run.key for run in archive.runs}
    name = archive.folder.resolve().name
    return ReportedClaims(
        format=FORMAT, version=VERSION, archive=name, runs=runs, claims=tuple(found)
    )


def claims_text(claims: ReportedClaims) -> str:
    """Return claims as JSON."""
    return json.dumps(claims.to_dict(), indent=2, ensure_ascii=False) + "\n"


def read_claims_of_report(path: Path) -> ReportedClaims:
    """Read a file of claims.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no file of claims; the message names the file and the key.
    """
    held = read_json(path, limit=LARGEST)
    if held.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no file of claims: its `format` must be {FORMAT!r}, got "
            f"{held.get('format')!r}; write one with `dva-lens report DIR --claims FILE`."
        )
    try:
        return ReportedClaims.from_dict(held)
    except ValueError as error:
        raise ValueError(f"{path} is no file of claims. {error}") from error


def no_longer_supported(before: ReportedClaims, archive: Archive) -> list[str]:
    """Return one sentence for every claim that an archive no longer supports.

    A claim is supported while its state is what it was, and its value lies in the interval that
    was claimed. One that was undecided claims nothing.

    Raises
    ------
    ArchiveError
        The claims are of another archive, none of whose runs is here.
    """
    here = {run.key for run in archive.runs}
    if here.isdisjoint(before.runs.values()):
        raise ArchiveError(
            f"The claims are of the archive {before.archive!r} ({', '.join(list(before.runs)[:3])}"
            f"), none of whose runs is in {archive.folder}; name the folder of {before.archive!r}."
        )
    now = {_place(claim): claim for claim in claims_of(archive).claims}
    pairs = ((claim, now.get(_place(claim))) for claim in before.claims if claim.state != OPEN)
    return [said for claim, found in pairs if (said := _lost(claim, found))]


def _place(claim: ReportedClaim) -> tuple[str | None, ...]:
    return (claim.text, claim.model, claim.baseline, claim.statistic, claim.contrast)


def _lost(claim: ReportedClaim, now: ReportedClaim | None) -> str:
    """Return why a claim is no longer supported, nothing while it is."""
    if now is None:
        return f"{claim.about}: claimed {claim.state}, and the archive no longer measures it."
    data = "the same numbers" if now.hash == claim.hash else "other numbers"
    both = f"claimed {claim.state}, {claim.numbers}; now {now.state}, {now.numbers}, from {data}"
    if now.state != claim.state:
        return f"{claim.about}: {both}."
    if None in (claim.low, claim.high, now.value):
        return ""
    assert claim.low is not None  # which the line above says too
    assert claim.high is not None
    assert now.value is not None
    if not claim.low <= now.value <= claim.high:
        return f"{claim.about}: {both}, outside of what was claimed."
    return ""


def _sinks(measured: Measurements, untrained: Measurements | None) -> Iterator[ReportedClaim]:
    found = findings_of(measured, untrained=untrained).of("sink")
    for one in found:
        estimate = {name: _number(one.numbers.get(name)) for name in ("mass", "low", "high")}
        own = measured.of(one.model)
        yield ReportedClaim(
            text=measured.text,
            model=one.model,
            baseline=None,
            statistic=MASS,
            contrast=None,
            state="sink" if one.verdict == "sink" else "no sink",
            value=estimate["mass"],
            low=estimate["low"],
            high=estimate["high"],
            n=_documents(own),
            units="documents",
            hash=_hash(own, MASS),
        )


def _changes(measured: Measurements) -> Iterator[ReportedClaim]:
    if len(measured.models) < 2:
        return
    try:
        compared = compare(measured)
    except NotComparableError:  # the report says why
        return
    for one in compared.entries:
        if not one.primary:
            continue
        stands = _stands_on(one)
        yield ReportedClaim(
            text=measured.text,
            model=one.model,
            baseline=one.baseline,
            statistic=one.statistic,
            contrast=one.contrast,
            state=_state(one.word),
            value=_number(stands.mean),
            low=_number(stands.low),
            high=_number(stands.high),
            n=stands.units_count,
            units="seeds" if stands is one.retrained else "documents",
            hash=_hash(measured.of(one.model, one.baseline), one.statistic),
        )


def _stands_on(one: Comparison) -> Estimate:
    """Return the estimate that the word of a comparison is of."""
    return one.retrained if one.retrained.supports_claims and not one.muted else one.text


def _state(word: str) -> Literal["higher", "lower", "undecided"]:
    return "higher" if word == "higher" else "lower" if word == "lower" else "undecided"


def _number(value: object) -> float | None:
    number = np.nan if value is None else float(np.asarray(value, dtype=np.float64))
    return number if np.isfinite(number) else None


def _documents(measured: Measurements) -> int:
    """Return how many documents some models were measured on."""
    each = (part.of_sequences(axes.DOCUMENT) for part in measured.parts)
    return len({str(name) for names in each if names is not None for name in names})


def _hash(measured: Measurements, statistic: str) -> str:
    """Return a hash of the numbers of a statistic in all trainings of some models."""
    return content_hash(b"|".join(_bytes(measured, statistic)))


def _bytes(measured: Measurements, statistic: str) -> Iterable[bytes]:
    for part in measured.parts:
        yield part.label.encode()
        if statistic in part.data:
            yield np.ascontiguousarray(part.data[statistic].values).tobytes()
