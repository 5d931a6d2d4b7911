"""Measurements and archives with plausible seeded numbers, for tests that need no model."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from fake_edges import with_edges
from fake_key_values import with_key_values

from dva_lens import axes
from dva_lens.results.schema import SCHEMA_VERSION
from dva_lens.results.writer import write_catalogue, write_run
from dva_lens.statistics.spans import reference_by_span
from dva_lens.statistics.statistic import Statistic
from dva_lens.statistics.table import STATISTICS

MODELS = ("transformer", "resformer-identity", "dva", "dva-separable")
STEPS = (0, 10, 40, 160)
WITHOUT = "the layer has no attention; it has causal-mean in its place"
WORDS = ("the", " list", " of", " a", " function", "\n", " returns", ".", " value", " object")

Draw = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def _entropy(sharp, visible, rng):
    return (1 - sharp) * np.log(visible)


def _normalised(sharp, visible, rng):
    return np.where(visible > 1, (1 - sharp) + 0 * visible, np.nan)


def _effective(sharp, visible, rng):
    return visible ** (1 - sharp)


def _largest(sharp, visible, rng):
    return np.maximum(1 / visible, sharp**0.7)


def _first(sharp, visible, rng):
    return np.maximum(1 / visible, 0.6 * sharp**2 + 0 * visible)


def _sink_free(sharp, visible, rng):
    return (1 - 0.6 * sharp) * np.log(np.maximum(visible - 1, 1))


def _share(sharp, visible, rng):
    return 0.3 * sharp**2 + 0.02 * rng.standard_normal((sharp + visible).shape)


QUERY: dict[str, Draw] = {
    "entropy": _entropy,
    "normalised_entropy": _normalised,
    "effective_keys": _effective,
    "largest_weight": _largest,
    "first_key_mass": _first,
    "sink_free_entropy": _sink_free,
    "sink_output_share": _share,
}
SIZES: dict[str, float] = {
    "sink_importance": 0.15,
    "importance_entropy": 3.4,
    "head_importance_excess": -0.4,
    "value_drain": 0.8,
    "written_value_drain": 0.7,
    "dynamism": 0.25,
    "massive_activation": 12.0,
}
EXTRA = {name: one.extra for name, one in STATISTICS.items() if one.extra}
THRESHOLDS = EXTRA["sink_rate"]["threshold"]
SOURCES = EXTRA["value_source_share"]["source"]


def fake_measurement(
    model: str = "transformer",
    seed: int = 0,
    *,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int | None = None,
    sequences: int = 6,
    length: int = 64,
    steps: Sequence[int] | None = None,
    keep_queries: bool = False,
) -> xr.Dataset:
    """Return what `measure` would, with every primary statistic, and a step dimension if asked."""
    rng = np.random.default_rng([zlib.crc32(model.encode()), seed])
    frame = _frame(layers, heads, kv_heads or heads, sequences=sequences, length=length)
    frame.attrs.update(_attrs(model, seed))
    at_steps = [None] if steps is None else list(steps)
    parts = [_statistics(frame, rng, model, progress=_progress(step)) for step in at_steps]
    if steps is None:
        data = frame.merge(parts[0])
    else:
        stacked = xr.concat(parts, dim=axes.STEP, combine_attrs="override")
        data = frame.merge(stacked).assign_coords(step=list(steps))
    data = data.merge(_references(frame))
    if keep_queries:
        data = data.merge(_by_query(frame, rng))
    data.attrs = dict(frame.attrs)
    return data


def fake_archive(
    folder: Path, models: Sequence[str] = MODELS, seeds: int = 2, *, edges: bool = False
) -> Path:
    """Write an archive of fake runs with two texts each, and return its folder."""
    rows = []
    for order, model in enumerate(models):
        for seed in range(seeds):
            heads = 1 if model.startswith("dva") else 4
            main = fake_measurement(model, seed, heads=heads, steps=STEPS, keep_queries=True)
            if model == "causal-mean":
                main = without_attention(main)
            elif edges:
                main = with_edges(main)
            if edges and model.startswith("dva"):
                main = with_key_values(main, static=(0,))
            measurements = {
                "held-out": main,
                "shuffled": fake_measurement(model, seed + 100, heads=heads, steps=STEPS[-1:]),
            }
            attrs = run_attrs(model, seed, order=order, heads=heads)
            key = f"{zlib.crc32(attrs['label'].encode()):08x}"
            write_run(
                folder,
                key,
                attrs=attrs,
                measurements=measurements,
                training=fake_training(model, seed),
            )
            rows.append({"key": key, **attrs})
    write_catalogue(folder, {"schema": SCHEMA_VERSION, "runs": rows})
    return folder


def without_attention(data: xr.Dataset) -> xr.Dataset:
    """Return a measurement in which heads have no numbers, and the reason."""
    data = data.copy()
    for name, values in data.data_vars.items():
        if {axes.HEAD, axes.KV_HEAD} & {*values.dims} and values.dtype.kind == "f":
            data[name] = values.copy(data=np.full(values.shape, np.nan, values.dtype))
            data[name].attrs = values.attrs | {"why_not": WITHOUT}
    return data


def fake_training(model: str = "transformer", seed: int = 0, steps: int = 160) -> xr.Dataset:
    """Return a training log with a falling loss."""
    rng = np.random.default_rng([zlib.crc32(model.encode()), seed, 1])
    step = np.arange(steps)
    loss = 3.5 + 4.0 * np.exp(-step / 40) + 0.05 * rng.standard_normal(steps)
    held_out = np.where(step % 20 == 19, loss + 0.1, np.nan)
    return xr.Dataset(
        {
            "loss": ("train_step", loss, {"long_name": "Training loss", "units": "nat"}),
            "held_out_loss": (
                "train_step",
                held_out,
                {"long_name": "Held-out loss", "units": "nat"},
            ),
            "seconds": ("train_step", 0.1 * (step + 1), {"units": "s"}),
            "tokens": ("train_step", 1024 * (step + 1), {"units": "tokens"}),
        },
        coords={"train_step": step},
    )


def _progress(step: int | None) -> float:
    return 1.0 if step is None else step / (step + 30)


def _frame(layers: int, heads: int, kv_heads: int, *, sequences: int, length: int) -> xr.Dataset:
    spans = axes.span_count(length)
    lengths = np.full(sequences, length)
    lengths[-1] = max(2, length - 5)
    rows = np.zeros((sequences, spans), dtype=int)
    for sequence, size in enumerate(lengths):
        for visible in range(1, size + 1):
            rows[sequence, axes.span_of(visible)] += 1
    names = np.array([f"module{i // 2}" for i in range(sequences)], dtype=object)
    return xr.Dataset(
        {"rows": (("sequence", "span"), rows, {"long_name": "Queries in the span"})},
        coords={
            "layer": np.arange(layers),
            "head": np.arange(heads),
            "kv_head": np.arange(kv_heads),
            "sequence": np.arange(sequences),
            "span": np.arange(spans),
            "threshold": np.array(THRESHOLDS),
            "source": np.array(SOURCES, dtype=object),
            "document": ("sequence", names),
            "length": ("sequence", lengths),
        },
    )


def _visible(frame: xr.Dataset) -> np.ndarray:
    """Return the mean number of visible keys in each span of each sequence."""
    spans = frame.sizes["span"]
    means = np.full((frame.sizes["sequence"], spans), np.nan)
    for sequence, length in enumerate(frame["length"].values):
        for span in range(spans):
            first, last = 1 << span, min((1 << (span + 1)) - 1, int(length))
            if first <= last:
                means[sequence, span] = (first + last) / 2
    return means


def _statistics(frame: xr.Dataset, rng: np.random.Generator, model: str, *, progress: float):
    sizes = frame.sizes
    depth = (np.arange(sizes["layer"]) + 1) / sizes["layer"]
    base = 0.3 + 0.35 * depth[:, None] - (0.1 if model.startswith("dva") else 0.0)
    sharp = base + 0.08 * rng.standard_normal((sizes["layer"], sizes["head"]))
    sharp = np.clip(progress * sharp, 0.0, 0.95)[:, :, None, None]
    sharp = np.clip(sharp + 0.01 * rng.standard_normal((1, 1, sizes["sequence"], 1)), 0.0, 0.95)
    visible = _visible(frame)[None, None]
    found = {}
    for name, draw in QUERY.items():
        values = draw(sharp, visible, rng) + 0 * visible
        found[name] = (("layer", "head", "sequence", "span"), values.astype(np.float32))
    for name, size in SIZES.items():
        at = STATISTICS[name].at
        dims = ("layer",) if at == "layer" else ("layer", at)
        shape = tuple(sizes[dim] for dim in (*dims, "sequence"))
        still = name == "dynamism" and not model.startswith("dva")
        scale = 0.0 if still else size * (0.5 + progress)
        values = scale * (1 + 0.1 * rng.standard_normal(shape))
        found[name] = ((*dims, "sequence"), values.astype(np.float32))
    loss = 7.6 - 3.6 * progress + 0.2 * rng.standard_normal(sizes["sequence"])
    found["loss"] = (("sequence",), loss.astype(np.float32))
    found.update(_with_extra(frame, rng, sharp, model))
    ordered = [name for name in STATISTICS if name in found]
    return xr.Dataset(
        {name: (*found[name], _statistic_attrs(STATISTICS[name])) for name in ordered}
    ).assign(_top_key_labels(found["top_key_mass"]))


def _top_key_labels(mass) -> dict[str, object]:
    """Return labels of a start token that is the most attended key of every text."""
    dims, values = mass
    numbers = {"position": 0, "token": 0, "earlier": 0, "queries": 44, "even": 0.03, "drain": 0.4}
    found: dict[str, object] = {"top_key_text": (dims, np.full(values.shape, "<s>", object))}
    for name, number in numbers.items():
        found[f"top_key_{name}"] = (dims, np.full(values.shape, number, np.float32))
    about = {"units": "1", "long_name": "Label", "beside": "top_key_mass", "version": 1}
    return {name: (*held, about) for name, held in found.items()}


def _with_extra(frame, rng: np.random.Generator, sharp: np.ndarray, model: str):
    sizes = frame.sizes
    sink = 0.6 * sharp[..., 0] ** 2
    rate = (sink[..., None] > np.array(THRESHOLDS)).astype(np.float32)
    first = 0.4 if model.startswith("resformer") else 0.0
    share = np.zeros((sizes["layer"], sizes["kv_head"], sizes["sequence"], len(SOURCES)))
    share[..., 1] = first * (1 + 0.1 * rng.standard_normal(share.shape[:-1]))
    share[0, ..., 1] = 0.0
    share[..., 0] = 1 - share[..., 1]
    return {
        "sink_rate": (("layer", "head", "sequence", "threshold"), rate),
        "top_key_mass": (("layer", "head", "sequence"), np.maximum(sink, 0.03).astype(np.float32)),
        "value_source_share": (
            ("layer", "kv_head", "sequence", "source"),
            share.astype(np.float32),
        ),
    }


def _references(frame: xr.Dataset) -> xr.Dataset:
    """Return what every statistic with a reference reads on uniform causal attention."""
    lengths = frame["length"].values
    query = np.arange(lengths.max())
    visible = np.where(query < lengths[:, None], query + 1, 0)
    found = {}
    for name, one in STATISTICS.items():
        if one.reference is None:
            continue
        if one.at == "query":
            per_query = one.reference(np.maximum(visible, 1)).astype(float)
            dims, values = ("sequence", "span"), reference_by_span(per_query, visible)
        else:
            dims, values = ("sequence", *one.extra), one.reference(lengths)
        found[f"{name}_reference"] = (dims, values.astype(np.float32))
    return xr.Dataset(found)


def _by_query(frame: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """Return per-query numbers and tokens of the sequences that are shown."""
    sizes = frame.sizes
    shown = min(8, sizes["sequence"])
    lengths = frame["length"].values[:shown]
    query = np.arange(lengths.max())
    real = query < lengths[:, None]
    sharp = rng.uniform(0.1, 0.8, (sizes["layer"], sizes["head"], *real.shape))
    visible = (query + 1.0)[None, None, None]
    found = {}
    for name, draw in QUERY.items():
        values = np.where(real, draw(sharp, visible, rng) + 0 * visible, np.nan)
        attrs = {"long_name": STATISTICS[name].long_name, "units": STATISTICS[name].units}
        dims = ("layer", "head", "shown", "query")
        found[f"{name}_by_query"] = (dims, values.astype(np.float32), attrs)
    words = rng.choice(WORDS, size=real.shape)
    found["token"] = (("shown", "query"), np.where(real, words, "").astype(object))
    return xr.Dataset(found, coords={"query": query, "shown": np.arange(shown)})


def _statistic_attrs(one: Statistic) -> dict[str, object]:
    names = ("long_name", "units", "meaning", "formula", "source", "version", "at", "pitfalls")
    attrs = {name: getattr(one, name) for name in names}
    if one.reference is None:
        attrs["why_no_reference"] = one.why_no_reference
    return attrs


def _attrs(model: str, seed: int) -> dict[str, object]:
    return {
        "schema": SCHEMA_VERSION,
        "model": model,
        "preset": model,
        "seed": seed,
        "backend": "blocked",
        "dtype": "float32",
        "fidelity_output": 1e-6,
        "bos": "each window begins with <s>",
        "chat_template": "none",
        "padding_side": "right",
        "window": 64,
        "stride": 64,
        "provenance": '{"device": "cpu", "fake": true}',
    }


def run_attrs(model: str, seed: int, *, order: int, heads: int) -> dict[str, object]:
    """Return what a finished run says of itself."""
    return {
        "model": model,
        "preset": model,
        "seed": seed,
        "label": f"{model}-{seed}",
        "order": order,
        "config": f'{{"layers": 4, "width": 96, "heads": {heads}}}',
        "parameters": 700_000 if heads > 1 else 500_000,
        "flops_per_token": 1_400_000,
        "kv_bytes_per_token": 3072,
        "train_seconds": 14.5 + seed,
        "loss": 4.0 + 0.05 * seed + 0.02 * order,
    }
