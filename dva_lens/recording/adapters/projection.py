"""W_O of an attention: which modules can be one, and what they multiply by.

Which module is W_O is found out while the model runs: the one that takes what the attention
returned. Nothing goes by names.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

NOT_WRITTEN = (
    "what {} returns does not go into an output projection as it is: a gate, a norm or something "
    "else comes between"
)


@final
@dataclass(frozen=True)
class Returned:
    """What an attention returned, and how often it had been changed in place by then."""

    output: Float[Tensor, "row column head width"]
    version: int

    @classmethod
    def of(cls, output: Tensor) -> "Returned":
        """Remember an output as it is now."""
        return cls(output, _version(output))

    def is_taken(self, taken: object) -> bool:
        """Say whether a module takes just that, heads side by side."""
        return (
            isinstance(taken, Tensor)
            and taken.numel() == self.output.numel()
            and taken.shape[-1] == self.output.shape[-1] * self.output.shape[-2]
            and _version(self.output) == self.version
            and torch.equal(taken.flatten(), self.output.flatten())
        )


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def is_projection(module: nn.Module) -> bool:
    """Say whether a module multiplies by a matrix, be it stored plainly or in some other form."""
    return isinstance(module, nn.Linear | Conv1D) or hasattr(module, "in_features")


@torch.no_grad()
def projection_of(
    module: nn.Module, taken: Float[Tensor, "row column head width"]
) -> Float[Tensor, "head width model"]:
    """Return the matrix of a projection that took the outputs of some heads.

    Plain weights are read. A matrix that is stored in fewer bits, or with changes on top, is what
    the module makes of the unit vectors, its constant taken off.
    """
    heads, width = taken.shape[2:]
    if isinstance(module, nn.Linear | Conv1D) and _is_plain(module):
        into = module.weight if isinstance(module, Conv1D) else module.weight.T
    else:
        units = torch.eye(heads * width + 1, heads * width, dtype=taken.dtype, device=taken.device)
        made = module.forward(units)  # the hooks on it are those that watch
        into = made[:-1] - made[-1]
    return into.detach().unflatten(0, (heads, -1))


def _is_plain(module: nn.Linear | Conv1D) -> bool:
    """Say whether a module is its matrix and a constant, and the matrix is there to be read."""
    if type(module) not in (nn.Linear, Conv1D) or type(module.weight) is not nn.Parameter:
        return False
    return module.weight.is_floating_point() and not module.weight.is_meta
