"""What the feed-forward networks have in common: the names by which TransformerLens knows maps."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


class Network(nn.Module):
    """A network with a map into a hidden layer and one out of it."""

    up: Any
    down: Any

    @property
    def W_in(self) -> Float[Tensor, "width inner"]:  # noqa: N802
        """Return the map into the hidden layer, input first."""
        return matrix(self.up, "W_in")

    @property
    def W_out(self) -> Float[Tensor, "inner width"]:  # noqa: N802
        """Return the map out of it, input first."""
        return matrix(self.down, "W_out")

    @property
    def b_out(self) -> Float[Tensor, "width"] | None:
        """Return the shift of the output, if there is one."""
        return self.down.bias


def matrix(made: Any, name: str) -> Float[Tensor, "any_inner any_outer"]:
    """Return the weight of a map, input first.

    Raises
    ------
    LookupError
        The map is no matrix.
    """
    if not hasattr(made, "weight"):
        raise LookupError(
            f"{name} is looked up in tables here and is no linear map, so it has no weights."
        )
    return made.weight.T
