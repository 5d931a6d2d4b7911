"""Do sinks, drained values and peaks of the residual stream stand at the same positions."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import STREAM, SUMMARY, WRITTEN
from dva_lens.statistics.extended.atlas import FEWEST_VIEWERS
from dva_lens.statistics.statistic import SharedRecord, Statistic, between

SAME = 1e-4  # of a size: more than float32 loses, and bfloat16 in the norm of a wide vector
PAIRS = ("sink and drain", "sink and peak", "drain and peak")


def triad_agreement(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence pair"]:
    """Return rank correlations over positions between attention, drain and peak."""
    del shared
    summary = layer.at(SUMMARY)
    sizes = layer.at(WRITTEN)
    stream = layer.at(STREAM)
    viewers = np.where(summary.viewers >= FEWEST_VIEWERS, summary.viewers, np.nan)
    sink = summary.received.mean(1) / viewers
    drain = -sizes.norm.mean(1)
    found = np.full((len(sink), len(PAIRS)), np.nan)
    for text, parts in enumerate(zip(sink, drain, stream.norm, strict=True)):
        held = np.isfinite(parts).all(0)
        if held.sum() >= 3:
            found[text] = _correlations(*(part[held] for part in parts))
    return found


def relative_sizes(layer: LayerRecord, sequence: int, position: int) -> tuple[float, float]:
    """Return how large the value of a position and its state are, over the medians of the text.

    NaN for what the layer has no record of, and for the virtual key, which has neither.
    """
    if position < 0:
        return float("nan"), float("nan")
    sizes, stream = layer.written, layer.stream
    value = None if sizes is None else sizes.norm[sequence].mean(0)
    return _relative(value, position), _relative(
        None if stream is None else stream.norm[sequence], position
    )


def _relative(sizes: Float[np.ndarray, "position"] | None, position: int) -> float:
    if sizes is None:
        return float("nan")
    middle = float(np.nanmedian(sizes))
    return float(sizes[position]) / middle if middle > 0 else float("nan")


def _correlations(
    sink: Float[np.ndarray, "position"],
    drain: Float[np.ndarray, "position"],
    peak: Float[np.ndarray, "position"],
) -> tuple[float, float, float]:
    return _spearman(sink, drain), _spearman(sink, peak), _spearman(drain, peak)


def _spearman(ours: np.ndarray, theirs: np.ndarray) -> float:
    # Imported here: it takes as long as everything else that the table of statistics needs.
    from scipy.stats import (  # pyright: ignore[reportMissingTypeStubs]
        rankdata,  # pyright: ignore[reportUnknownVariableType]
    )

    mine, other = rankdata(_tied(ours)), rankdata(_tied(theirs))
    mine, other = mine - mine.mean(), other - other.mean()
    size = np.sqrt((mine @ mine) * (other @ other))
    return float(mine @ other / size) if size > 0 else float("nan")


def _tied(sizes: np.ndarray) -> np.ndarray:
    """Return sizes with the smallest of those that differ by no more than rounding in their place.

    A group begins at its smallest size and holds what lies within `SAME` of it; so a chain of
    small steps is not one tie.
    """
    found, group = sizes.astype(np.float64), -np.inf
    for place in np.argsort(found, kind="stable"):
        if found[place] - group > SAME * abs(found[place]):
            group = found[place]
        found[place] = group
    return found


TRIAD_AGREEMENT = Statistic(
    name="triad_agreement",
    version=2,
    long_name="Sinks, drains and peaks together",
    units="1",
    meaning="Rank correlation over positions: attention received, small values, large states.",
    formula=(
        r"\rho_s(\alpha_k, -\lVert W_O v_k\rVert),\ \rho_s(\alpha_k, \lVert x_k\rVert),\ "
        r"\rho_s(-\lVert W_O v_k\rVert, \lVert x_k\rVert)"
    ),
    source="Guo et al. 2024 (arXiv 2410.13835): extreme tokens have all three",
    at="layer",
    needs=(SUMMARY, WRITTEN, STREAM),
    compute=triad_agreement,
    bounds=between(-1.0, 1.0),
    reference=None,
    why_no_reference="it depends on values and states",
    extra={"triad_pair": PAIRS},
    pitfalls=(
        "One extreme token moves a rank correlation little: read it beside value drain and sink "
        "importance. Heads are averaged first; the stream is that after the layer. Sizes within "
        "1e-4 of one another count as equal, and where all are equal there is no correlation."
    ),
    one_text=True,
)
