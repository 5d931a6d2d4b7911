"""Whether a study fits into the memory of this machine, asked before anything is allocated."""

import os

from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import parameters
from dva_lens.study.definition import Study
from dva_lens.study.matching import model_of

BYTES_PER_PARAMETER = 16
"""In fp32: the weight, its gradient, and the two moments of the optimiser."""


def check_memory(study: Study) -> None:
    """Refuse a study one of whose models cannot be trained in the memory of this machine.

    Only what every training needs is counted, so what passes may still be too large.

    Raises
    ------
    MemoryError
        A model needs more; the message holds both numbers.
    """
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for part in study.each_part().values():
        for name in part.presets:
            _check_fits(name, model_of(name, part.size, part.match), held)


def _check_fits(name: str, config: ModelConfig, held: int) -> None:
    needed = BYTES_PER_PARAMETER * parameters(config)
    if needed > held:
        raise MemoryError(
            f"training {name} at this size needs at least {needed / 2**30:,.1f} GiB, and this "
            f"machine has {held / 2**30:,.1f} GiB"
        )
