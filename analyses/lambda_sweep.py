"""What does a trained model lose as the first layer's values are taken out of its value residual?

The weight that every layer gives the first layer's values is lowered from what the model was
trained with to zero, without training it again. One line per weight that is kept: what that adds
to the loss, with a 95 % interval over documents; what a change of the same size in a random
direction adds; the divergence of the next-token distributions; and the change of the weight on the
first key, mean over heads and layers.

    python -m dva_lens.analyses.lambda_sweep runs/quick/checkpoints/resformer-identity-0
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from dva_lens.diagnostics.interventions.intervene import intervene
from dva_lens.diagnostics.interventions.values import DropValueResidual
from dva_lens.views.words import shown

from .asking import answered, parser_of

KEPT = (1.0, 0.75, 0.5, 0.25, 0.0)
HEADS = ("weight kept", "loss", "control", "loss minus control", "divergence", "first key")
FOLLOWED = "first_key_mass"
ENDS = ("effect", "effect_low", "effect_high")


def sweep(
    model: Any, text: Any, *, seed: int = 0, length: int | None = None
) -> Iterator[tuple[float, xr.Dataset]]:
    """Yield each weight that is kept, and what lowering all layers to it does.

    Raises
    ------
    TypeError
        No layer of the model mixes values of the first.
    """
    for kept in KEPT:
        what = DropValueResidual(share=1.0 - kept)
        given: dict[str, Any] = {"draws": 1, "seed": seed, "length": length}
        yield kept, intervene(model, text, what, statistics=(FOLLOWED,), **given)


def table(found: Iterable[tuple[float, xr.Dataset]]) -> Iterator[tuple[str, ...]]:
    """Yield one line per weight that is kept."""
    yield HEADS
    for kept, one in found:
        cells = [
            _effect(one, "loss", changed) for changed in ("intervention", "control", "difference")
        ]
        moved = one[f"{FOLLOWED}_change"].sel(changed="intervention", bound="mean").values
        yield (
            f"{kept:g}",
            *cells,
            _effect(one, "divergence", "intervention"),
            shown(float(np.nanmean(moved))),
        )


def _effect(found: xr.Dataset, quantity: str, changed: str) -> str:
    at = {"quantity": quantity, "changed": changed}
    return shown(*(float(found[name].sel(at)) for name in ENDS))


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if the model or the text cannot be read, or nothing is mixed."""
    given = parser_of("dva_lens.analyses.lambda_sweep", __doc__ or "").parse_args(arguments)

    def of(model: Any, text: Any) -> Iterator[tuple[str, ...]]:
        return table(sweep(model, text, seed=given.seed, length=given.length))

    return answered(given, of)


if __name__ == "__main__":
    sys.exit(main())
