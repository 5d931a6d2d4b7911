"""Records computed the slow, obvious way from materialised patterns: the oracle of the tests."""

from dataclasses import dataclass

import numpy as np

from dva_lens.axes import MANY_KEYS
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import (
    AttentionSummary,
    StreamNorms,
    ValueDynamics,
    ValueMix,
    ValueNorms,
    WrittenNorms,
)


@dataclass(frozen=True)
class Pieces:
    """What one attention holds when nothing is streamed.

    `pattern` is (layer, sequence, head, query, key); `values` is (layer, sequence, kv_head, key,
    width), or (layer, sequence, head, query, key, width) for values that depend on the query;
    `output` is W_O as (layer, head, width, model); `lengths` is (sequence,); `seen` is
    (sequence, query, key).
    """

    pattern: np.ndarray
    values: np.ndarray
    output: np.ndarray
    lengths: np.ndarray
    seen: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """Return v_ij for every pair: (layer, sequence, head, query, key, width)."""
        if self.values.ndim == 6:
            return self.values
        layers, sequences, heads, queries, keys = self.pattern.shape
        per_head = np.repeat(self.values, heads // self.values.shape[2], axis=2)
        shape = (layers, sequences, heads, queries, keys, self.values.shape[-1])
        return np.broadcast_to(per_head[:, :, :, None], shape)


def visibility(lengths, *, causal=True, window=None):
    """Return which keys each query sees: (sequence, query, key), padding seeing nothing."""
    lengths = np.asarray(lengths)
    place = np.arange(lengths.max())
    gap = place[:, None] - place[None, :]
    seen = np.ones_like(gap, dtype=bool)
    if causal:
        seen &= gap >= 0
    if window is not None:
        seen &= np.abs(gap) < window
    real = place < lengths[:, None]
    return seen & real[:, :, None] & real[:, None, :]


def uniform_pattern(seen, *, layers=1, heads=1):
    """Return attention spread evenly over the visible keys."""
    count = seen.sum(-1, keepdims=True)
    pattern = np.divide(seen, count, out=np.zeros(seen.shape), where=count > 0)
    return np.broadcast_to(pattern[None, :, None], (layers, len(seen), heads, *seen.shape[1:]))


def random_pattern(seen, *, layers=1, heads=1, concentration=1.0, sink=None, seed=0):
    """Return softmax patterns of normal scores; `sink` is the logit of a virtual key."""
    generator = np.random.default_rng(seed)
    shape = (layers, len(seen), heads, *seen.shape[1:])
    scores = np.exp(concentration * generator.standard_normal(shape)) * seen[None, :, None]
    total = scores.sum(-1, keepdims=True) + (0.0 if sink is None else np.exp(sink))
    return np.divide(scores, total, out=np.zeros(shape), where=total > 0)


def random_pieces(pattern, seen, lengths, *, kv_heads=None, width=4, model=6, pair=False, seed=1):
    """Return pieces with random values and output matrices around a pattern."""
    generator = np.random.default_rng(seed)
    layers, sequences, heads, queries, keys = pattern.shape
    shape = (layers, sequences, kv_heads or heads, keys, width)
    if pair:
        shape = (layers, sequences, heads, queries, keys, width)
    return Pieces(
        pattern=pattern,
        values=generator.standard_normal(shape),
        output=generator.standard_normal((layers, heads, width, model)),
        lengths=np.asarray(lengths),
        seen=seen,
    )


def uniform_record(
    lengths=(9, 7), *, layers=2, heads=4, kv_heads=2, causal=True, window=None, pair=False
):
    """Return the record of uniform attention over the visible keys."""
    seen = visibility(lengths, causal=causal, window=window)
    pattern = uniform_pattern(seen, layers=layers, heads=heads)
    return record_of(random_pieces(pattern, seen, lengths, kv_heads=kv_heads, pair=pair))


def random_record(
    lengths=(9, 7), *, layers=2, heads=4, kv_heads=2, concentration=1.0, sink=None, pair=False,
    seed=0,
):  # fmt: skip
    """Return the record of random causal attention."""
    return record_of(
        random_causal(
            lengths, layers=layers, heads=heads, kv_heads=kv_heads, concentration=concentration,
            sink=sink, pair=pair, seed=seed,
        )
    )  # fmt: skip


def random_causal(
    lengths=(9, 7), *, layers=2, heads=4, kv_heads=2, concentration=1.0, sink=None, pair=False,
    seed=0,
):  # fmt: skip
    """Return the pieces of random causal attention, to derive numbers from by hand."""
    seen = visibility(lengths)
    pattern = random_pattern(
        seen, layers=layers, heads=heads, concentration=concentration, sink=sink, seed=seed
    )
    return random_pieces(pattern, seen, lengths, kv_heads=kv_heads, pair=pair, seed=seed + 1)


def record_of(pieces, *, loss=True, seed=2):
    """Return the record of pieces, with a random residual stream, loss and value mix."""
    generator = np.random.default_rng(seed)
    sequences, positions = len(pieces.lengths), pieces.pattern.shape[-1]
    real = np.arange(positions) < pieces.lengths[:, None]
    predicted = np.arange(positions) < pieces.lengths[:, None] - 1
    losses = np.where(predicted, generator.uniform(1, 5, (sequences, positions)), np.nan)
    tokens = np.where(real, generator.integers(0, 50, (sequences, positions)), -1)
    layers = tuple(_layer(pieces, layer, generator) for layer in range(len(pieces.pattern)))
    return Record(
        tokens=tokens,
        lengths=np.asarray(pieces.lengths),
        layers=layers,
        loss=losses if loss else None,
        provenance={"backend": "materialised", "dtype": "float64"},
    )


def _layer(pieces, layer, generator):
    pattern, pairs = pieces.pattern[layer], pieces.pairs[layer]
    kv_heads = pieces.values.shape[2]
    power, mean = _power_and_mean(pattern, pairs)
    received = pattern.sum(2)
    real = np.arange(pattern.shape[-1]) < pieces.lengths[:, None]
    return LayerRecord(
        summary=_summary(pieces, pattern, pairs),
        **_sizes(pieces, layer, mean),
        mix=_mix(generator, len(pattern), kv_heads),
        dynamics=ValueDynamics(
            power=power, mean_power=(received * (mean**2).sum(-1)).sum(-1)
        ),
        stream=_stream(generator, real),
    )  # fmt: skip


def _power_and_mean(pattern, pairs):
    """Return sum p |v|^2 per head, and the weighted mean value of each key (zero if unseen)."""
    power = (pattern * (pairs**2).sum(-1)).sum((-1, -2))
    received = pattern.sum(2)[..., None]
    total = np.einsum("shqk,shqkd->shkd", pattern, pairs)
    return power, np.divide(total, received, out=np.zeros(total.shape), where=received != 0)


def _summary(pieces, pattern, pairs):
    seen = pieces.seen
    positions = pattern.shape[-1]
    real = np.arange(positions) < pieces.lengths[:, None]
    gap = np.arange(positions)[:, None] - np.arange(positions)[None, :]
    logs = np.log(np.where(pattern > 0, pattern, 1.0))
    output = np.einsum("shqk,shqkd->shqd", pattern, pairs)
    among = np.where(seen[:, None], pattern, -np.inf)
    previous = np.concatenate(
        [np.zeros((*pattern.shape[:2], 1)), np.diagonal(pattern, -1, 2, 3)], axis=-1
    )

    def masked(values):
        return np.where(real[:, None], values, np.nan)

    return AttentionSummary(
        log_sum_exp=masked(np.zeros(pattern.shape[:3])),
        entropy=masked(-(pattern * logs).sum(-1)),
        square_sum=masked((pattern**2).sum(-1)),
        largest=masked(np.where(seen.any(-1)[:, None], among.max(-1), 0.0)),
        first_mass=masked(pattern[..., 0]),
        self_mass=masked(np.diagonal(pattern, 0, 2, 3)),
        previous_mass=masked(previous),
        distance=masked((pattern * gap).sum(-1)),
        row_mass=masked(pattern.sum(-1)),
        absolute_mass=masked(np.abs(pattern).sum(-1)),
        rest_mass=masked(pattern[..., 1:].sum(-1)),
        rest_entropy=masked(-(pattern * logs)[..., 1:].sum(-1)),
        rest_distance=masked((pattern * gap)[..., 1:].sum(-1)),
        value_norm=masked((pattern * np.linalg.norm(pairs, axis=-1)).sum(-1)),
        output_norm=masked(np.linalg.norm(output, axis=-1)),
        received=masked(pattern.sum(2)),
        late_received=masked((pattern * (seen.sum(-1) >= MANY_KEYS)[:, None, :, None]).sum(2)),
        visible=np.where(real, seen.sum(-1), -1),
        viewers=np.where(real, seen.sum(-2), -1),
    )


def _sizes(pieces, layer, mean):
    """Return value sizes; `mean` is the weighted mean value per query head and key."""
    pattern, output = pieces.pattern[layer], pieces.output[layer]
    pairs = pieces.pairs[layer]
    sequences, heads, keys, _ = mean.shape
    real = np.arange(keys) < pieces.lengths[:, None]
    groups = heads if pieces.values.ndim == 6 else pieces.values.shape[2]
    used = mean if pieces.values.ndim == 6 else np.repeat(
        pieces.values[layer], heads // groups, axis=1
    )  # fmt: skip
    written = (np.einsum("shkd,hdm->shkm", used, output) ** 2).sum(-1)
    norms = np.linalg.norm(used, axis=-1)
    grouped = (sequences, groups, heads // groups, keys)
    total = np.einsum("shqk,shqkd,hdm->shqm", pattern, pairs, output)
    first = np.einsum("shq,shqd,hdm->shqm", pattern[..., 0], pairs[:, :, :, 0], output)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (first * total).sum(-1) / (total**2).sum(-1)

    def masked(values):
        return np.where(real[:, None], values, np.nan)

    return {
        "values": ValueNorms(masked(norms.reshape(grouped)[:, :, 0])),
        "written": WrittenNorms(
            norm=masked(np.sqrt(written.reshape(grouped).mean(2))), first=masked(share)
        ),
    }


def _mix(generator, sequences, kv_heads):
    own = generator.uniform(0, 1, (sequences, 1, kv_heads))
    return ValueMix(sources=("own", "first"), share=np.concatenate([own, 1 - own], axis=1))


def _stream(generator, real):
    entries = np.abs(generator.standard_normal((*real.shape, 8))) * np.where(real, 1, np.nan)[
        ..., None
    ]  # fmt: skip
    flat = np.nan_to_num(entries, nan=-1.0).reshape(len(real), -1)
    return StreamNorms(
        norm=np.sqrt((entries**2).sum(-1)),
        largest=np.nanmax(entries, axis=(1, 2)),
        median=np.nanmedian(entries, axis=(1, 2)),
        largest_position=flat.argmax(-1) // entries.shape[-1],
    )
