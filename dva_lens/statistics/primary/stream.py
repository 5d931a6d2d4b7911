"""How extreme the residual stream is: its largest entry against its median entry."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import STREAM
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import SharedRecord, Statistic, at_least


def massive_activation(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence"]:
    """Return the largest over the median absolute entry of the residual stream."""
    del shared
    sizes = layer.at(STREAM)
    return ratio(sizes.largest, sizes.median.astype(np.float64))


MASSIVE_ACTIVATION = Statistic(
    name="massive_activation",
    version=1,
    long_name="Massive-activation ratio",
    units="1",
    meaning="Largest absolute entry of the residual stream over the median absolute entry.",
    formula=r"\max_{ic} |x_{ic}| / \operatorname{median}_{ic} |x_{ic}|",
    source="Sun et al. 2024 (arXiv 2402.17762): criterion of about 1000, with an entry above 100",
    at="layer",
    needs=(STREAM,),
    compute=massive_activation,
    bounds=at_least(1.0),
    reference=None,
    why_no_reference="it is about the residual stream, not about a pattern",
    pitfalls="The published criterion also asks for an absolute size, which depends on the model.",
)
