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
        return self.up.weight.T

    @property
    def W_out(self) -> Float[Tensor, "inner width"]:  # noqa: N802
        """Return the map out of it, input first."""
        return self.down.weight.T

    @property
    def b_out(self) -> Float[Tensor, "width"] | None:
        """Return the shift of the output, if there is one."""
        return self.down.bias
