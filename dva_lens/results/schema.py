"""What an archive is made of: names of files and groups, what each must say of itself, checks."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import xarray as xr

from dva_lens import axes
from dva_lens.validation import shown

SCHEMA_VERSION = 2
FORMAT = "dva-lens-archive"

ARCHIVE = "archive.zarr"
CATALOGUE = "catalogue.json"
CHECKPOINTS = "checkpoints"
PARTIAL = ".partial"
RUNS = "runs"
TRAINING = "training"
TRAIN_STEP = "train_step"
REFERENCE = "_reference"
BY_QUERY = "_by_query"
PATCH_ROWS, PATCH_COLUMNS, PATCH_FIRST = "patch_rows", "patch_columns", "patch_first"
"""Attributes of a measurement of images: the grid of patches, and the position of the first."""
EDGE_KEY = "edge_key"
EDGE_WEIGHT = "edge_weight"
EDGE_SHARE = "edge_share"
EDGE_REST = "edge_rest"
EDGE_REST_BY_KEY = "edge_rest_by_key"
EDGE_VISIBLE = "edge_visible"
EDGES = (EDGE_KEY, EDGE_WEIGHT, EDGE_SHARE, EDGE_REST, EDGE_REST_BY_KEY, EDGE_VISIBLE)
VALUE_KEY = "key_value_key"
VALUE_WEIGHT = "key_value_weight"
VALUE_NORM = "key_value_norm"
VALUE_FIRST = "key_value_first"
VALUE_SECOND = "key_value_second"
VALUE_EXPLAINED = "key_value_explained"
KEY_VALUES = (
    VALUE_KEY,
    VALUE_WEIGHT,
    VALUE_NORM,
    VALUE_FIRST,
    VALUE_SECOND,
    VALUE_EXPLAINED,
)
BESIDE = "beside"
TOKEN = "token"
TEXTS = "texts"
DOCUMENT_HASH = "document_sha256"
TOKENS_HASH = "tokens_sha256"
_FORMER_TEXTS = "probes"

RUN_ATTRS = (
    "model",
    "preset",
    "seed",
    "label",
    "config",
    "parameters",
    "flops_per_token",
    "kv_bytes_per_token",
    "train_seconds",
    "loss",
)
_TEXT_ATTRS = ("model", "preset", "label", "config", "provenance", "study", "recipe")
_WHOLE_ATTRS = ("seed", "order")
_NUMBER_ATTRS = ("parameters", "flops_per_token", "kv_bytes_per_token", "train_seconds", "loss")
STATISTIC_ATTRS = ("long_name", "units", "meaning", "formula", "source", "version", "at")
DIMENSIONS = {
    "query": (axes.LAYER, axes.HEAD, axes.SEQUENCE, axes.SPAN),
    "key": (axes.LAYER, axes.HEAD, axes.SEQUENCE, axes.SPAN),
    "head": (axes.LAYER, axes.HEAD, axes.SEQUENCE),
    "kv_head": (axes.LAYER, axes.KV_HEAD, axes.SEQUENCE),
    "layer": (axes.LAYER, axes.SEQUENCE),
    "model": (axes.SEQUENCE,),
}


class ArchiveError(ValueError):
    """An archive, or one group of it, is not what the schema asks for."""


class NotComparableError(ArchiveError):
    """Measurements are not of one text, or share no moment of training."""


def content_hash(content: bytes) -> str:
    """Return a short hash of a text or of the tokens of a sequence."""
    return hashlib.sha256(content).hexdigest()[:16]


def texts_of(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the evaluation texts of a run, the main one first; schema 1 calls them probes."""
    found = attrs.get(TEXTS, attrs.get(_FORMER_TEXTS, ()))
    return tuple(str(name) for name in found)


def with_texts(attrs: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return what a run says of itself in this schema, measured on these texts."""
    kept = {name: value for name, value in attrs.items() if name != _FORMER_TEXTS}
    return {**kept, "schema": SCHEMA_VERSION, TEXTS: list(texts)}


def former_names(schema: int) -> str:
    """Say what an older schema called otherwise, in one line; nothing of this schema."""
    if schema >= SCHEMA_VERSION:
        return ""
    return (
        f"This archive has schema {schema}: what it calls `probes` are evaluation texts, named "
        f"`texts` since schema 2; it is read as it is."
    )


def statistics_of(measurement: xr.Dataset) -> tuple[str, ...]:
    """Return the names of the statistics that a measurement holds, in its own order."""
    return tuple(
        str(name)
        for name, variable in measurement.data_vars.items()
        if "at" in variable.attrs and not str(name).endswith((REFERENCE, BY_QUERY))
    )


def beside(measurement: xr.Dataset, *statistics: str) -> tuple[str, ...]:
    """Return the variables that are kept beside statistics: labels, which are never averaged."""
    return tuple(
        str(name)
        for name, variable in measurement.data_vars.items()
        if variable.attrs.get(BESIDE) in statistics
    )


def check_version(attrs: Mapping[str, Any], group: str) -> None:
    """Refuse a group whose schema is missing, not a number, or newer than this package reads.

    Raises
    ------
    ArchiveError
        The group names no schema, or one that is newer than this package reads.
    """
    found = attrs.get("schema")
    if not isinstance(found, int):
        raise ArchiveError(
            f"{group} says nothing of its schema (attribute 'schema' is {found!r}); it was not "
            f"written by dva-lens, or only half written."
        )
    if found > SCHEMA_VERSION:
        raise ArchiveError(
            f"{group} has schema {found}, and this version of dva-lens reads schemas up to "
            f"{SCHEMA_VERSION}; upgrade dva-lens to read it."
        )


def check_run(attrs: Mapping[str, Any], group: str) -> None:
    """Refuse a run that does not say what it is.

    Raises
    ------
    ArchiveError
        The group lacks an attribute that every finished run has, or one is of another type.
    """
    check_version(attrs, group)
    missing = [name for name in RUN_ATTRS if name not in attrs]
    if missing:
        raise ArchiveError(f"{group} lacks the attributes {', '.join(missing)} of a finished run.")
    for names, kind, called in (
        (_TEXT_ATTRS, str, "text"),
        (_WHOLE_ATTRS, int, "a whole number"),
        (_NUMBER_ATTRS, int | float | None, "a number or null"),
    ):
        for name in names:
            held = attrs.get(name)
            if name in attrs and (isinstance(held, bool) or not isinstance(held, kind)):
                raise ArchiveError(
                    f"{group} must have {called} for its attribute {name!r}, got {shown(held)}; "
                    f"it was changed or damaged since it was written."
                )
    _check_texts(attrs, group)


def _check_texts(attrs: Mapping[str, Any], group: str) -> None:
    for key in (TEXTS, _FORMER_TEXTS):
        names = attrs.get(key, ())
        listed = cast("Sequence[object]", names) if isinstance(names, list | tuple) else (names,)
        if isinstance(names, str) or not all(is_text_name(name) for name in listed):
            raise ArchiveError(
                f"{group} must have a list of names of texts for its attribute {key!r}, got "
                f"{shown(cast('object', names))}; it was changed or damaged since it was written."
            )
    if not texts_of(attrs):
        raise ArchiveError(
            f"{group} names no text for its attribute {TEXTS!r} that the run was measured on; it "
            f"was changed or damaged since it was written."
        )


def is_text_name(name: object) -> bool:
    """Say whether something can be the name of a text, and of a group beside the training log."""
    if not isinstance(name, str) or name == TRAINING or ".." in name:
        return False
    return name[:1] != "." and re.sub("[-_.]", "", name).isalnum()


def check_measurement(measurement: xr.Dataset, group: str) -> None:
    """Refuse a measurement whose statistics do not say what they are, or are laid out wrongly.

    Raises
    ------
    ArchiveError
        The group holds no statistic, or one that is laid out wrongly.
    """
    check_version(measurement.attrs, group)
    names = statistics_of(measurement)
    if not names:
        raise ArchiveError(
            f"{group} holds no statistic: none of its variables has the attribute 'at'."
        )
    check_described(measurement, group)
    for name in names:
        _check_statistic(measurement[name], f"{group}/{name}")
    if any(measurement[name].attrs["at"] == "query" for name in names):
        _check_rows(measurement, group)


def check_described(measurement: xr.Dataset, group: str) -> None:
    """Refuse a measurement with a statistic that does not say what it is.

    Raises
    ------
    ArchiveError
        An attribute that every statistic has is missing.
    """
    for name in statistics_of(measurement):
        attrs = measurement.variables[name].attrs
        missing = [each for each in STATISTIC_ATTRS if each not in attrs]
        if missing:
            raise ArchiveError(f"{name} of {group} lacks the attributes {', '.join(missing)}.")


def _check_statistic(variable: xr.DataArray, where: str) -> None:
    place = variable.attrs["at"]
    if place not in DIMENSIONS:
        raise ArchiveError(f"{where} is at {place!r}; a statistic is at {', '.join(DIMENSIONS)}.")
    dims = tuple(str(dim) for dim in variable.dims if dim != axes.STEP)
    due = DIMENSIONS[place]
    if dims[: len(due)] != due:
        raise ArchiveError(f"{where} at {place!r} must begin with dimensions {due}, got {dims}.")


def _check_rows(measurement: xr.Dataset, group: str) -> None:
    if "rows" not in measurement or measurement["rows"].dims != (axes.SEQUENCE, axes.SPAN):
        raise ArchiveError(
            f"{group} must hold `rows` over (sequence, span): how many queries each mean is over."
        )
