"""How well the model predicts: the next-token loss of a text."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import LOSS
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import SharedRecord, Statistic, at_least


def mean_loss(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence"]:
    """Return the mean next-token loss of each sequence, in nats.

    Raises
    ------
    KeyError
        The record holds no loss.
    """
    del layer
    if shared.loss is None:
        raise KeyError("Site 'loss' was not recorded; pass it in `sites`.")
    held = ~np.isnan(shared.loss)
    count = held.sum(-1)
    total = np.where(held, shared.loss, 0.0).sum(-1, dtype=np.float64)
    return ratio(total, count)


MEAN_LOSS = Statistic(
    name="loss",
    version=1,
    long_name="Next-token loss",
    units="nat/token",
    meaning="Mean negative log-probability of the next token.",
    formula=r"-\frac{1}{N-1}\sum_{i<N-1} \log q(x_{i+1} \mid x_{\le i})",
    source="Cross-entropy",
    at="model",
    needs=(LOSS,),
    compute=mean_loss,
    bounds=at_least(0.0),
    reference=None,
    why_no_reference="it is about predictions, not about a pattern",
    pitfalls="Per token: comparable between models only with the same tokenizer.",
)
