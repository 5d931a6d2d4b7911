"""The controlled grid: heads × feed-forward × value form × value residual, each by its name.

`1h-noff-pairwise-own` has one head, no feed-forward network, pairwise values and no value
residual; `4h-ff-static-residual` has the four heads of its size, a feed-forward network, plain
values, and half of each value from the first layer. The width of queries and keys is held at that
of the multi-head models throughout, because it moves sinks by itself.
"""

import re
from collections.abc import Iterator
from itertools import product

from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.models.config import ModelConfig
from dva_lens.models.size import Size
from dva_lens.validation import meant

FED = {"ff": "swiglu", "noff": "none"}
SOURCES = {"own": "own", "residual": {"kind": "first-layer-mix", "first": 0.5, "own": 0.5}}
_NAME = re.compile(rf"(\d+)h-({'|'.join(FED)})-(.*)-({'|'.join(SOURCES)})")
_LIKE = re.compile(r"(\d+)h-.*")


def grid(size: Size) -> Iterator[tuple[str, ModelConfig]]:
    """Yield every model of the grid by name.

    Raises
    ------
    ValueError
        The size has a single head, or a model of the grid is impossible at this size.
    """
    if size.heads < 2:
        raise ValueError(f"The grid sets one head against several, got heads={size.heads}.")
    for name in cells(size):
        yield name, cell(name, size)


def cells(size: Size) -> tuple[str, ...]:
    """Return the names of the grid at a size."""
    heads = dict.fromkeys((1, size.heads))
    return tuple(
        f"{many}h-{fed}-{form}-{source}"
        for many, fed, form, source in product(heads, FED, VALUE_FORMS, SOURCES)
    )


def is_cell(name: str) -> bool:
    """Say whether a name is formed like those of the grid, rightly or not."""
    return _LIKE.fullmatch(name) is not None


def cell(name: str, size: Size) -> ModelConfig:
    """Return one model of the grid.

    Raises
    ------
    ValueError
        The grid has no model of this name, or the width of the size is no multiple of its heads.
    """
    found = _NAME.fullmatch(name)
    if found is None or name not in cells(size):
        raise ValueError(
            f"Unknown model of the grid {name!r}{meant(name, cells(size))}; "
            f"with heads={size.heads} a name is 1h or "
            f"{size.heads}h, {' or '.join(FED)}, one of {', '.join(VALUE_FORMS)}, and "
            f"{' or '.join(SOURCES)}, joined by '-'."
        )
    heads, fed, form, source = found.groups()
    if size.width % size.heads:
        raise ValueError(
            f"width must be a multiple of heads, because {name} holds the width of queries and "
            f"keys at their ratio, got width={size.width}, heads={size.heads}."
        )
    return size.config(
        heads=int(heads),
        qk_dim=size.width // size.heads,
        feedforward=FED[fed],
        value_form=form,
        value_source=SOURCES[source],
    )
