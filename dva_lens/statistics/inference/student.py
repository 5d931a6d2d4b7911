"""Student's t, as `scipy.stats` computes it, without the second that importing that takes."""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import numpy as np
from scipy.special import stdtr, stdtrit

Numbers = np.ndarray | float | int


def upper_tail(t: Numbers, freedom: Numbers) -> np.ndarray:
    """Return the chance of more than `t`; NaN where there is no degree of freedom."""
    return np.asarray(stdtr(freedom, np.negative(t)))


def quantile(chance: Numbers, freedom: Numbers) -> np.ndarray:
    """Return the t below which a share `chance` lies, more than 0; NaN without a freedom."""
    return np.asarray(stdtrit(freedom, chance))
