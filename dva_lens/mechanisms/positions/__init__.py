"""How the model knows where a token stands."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import Variant


@final
@dataclass(frozen=True)
class Rotary(Variant):
    """Queries and keys are rotated by their position, pairing channel c with c + d/2."""

    formula: ClassVar[str] = "score_ij = (R_i q_i)·(R_j k_j), angle of pair c: i·base^(−2c/d)"
    source: ClassVar[str] = "Su et al. 2021 (2104.09864), halves paired as in LLaMA"
    tag: ClassVar[str] = "rotary"

    base: float = 10000.0

    def check(self, shape: Shape) -> None:
        """Refuse heads that cannot be halved."""
        if shape.qk_dim % 2:
            raise ValueError(f"Rotary positions need an even qk_dim, got {shape.qk_dim}.")
        if self.base <= 1:
            raise ValueError(f"base must exceed 1, got {self.base}.")

    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""
        del shape
        return 0

    def embedding(self, shape: Shape) -> None:
        """Return nothing: rotary positions add nothing to the stream."""
        del shape

    def rotation(self, shape: Shape) -> Any:
        """Return the module that turns queries and keys."""
        from dva_lens.mechanisms.positions.parts import Rotation

        return Rotation(shape.qk_dim, self.base)


@final
@dataclass(frozen=True)
class Learned(Variant):
    """A learned vector per position is added to the embedding."""

    formula: ClassVar[str] = "x_i = E[t_i] + P[i]"
    source: ClassVar[str] = "GPT-2 (Radford et al. 2019)"
    tag: ClassVar[str] = "standard"

    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""
        return shape.context * shape.width

    def embedding(self, shape: Shape) -> Any:
        """Return the module that gives each position its vector."""
        from dva_lens.mechanisms.positions.parts import PositionTable

        return PositionTable(shape.context, shape.width)

    def rotation(self, shape: Shape) -> None:
        """Return nothing: queries and keys stay as they are."""
        del shape


Positions = Rotary | Learned

POSITIONS: dict[str, type[Positions]] = {"rotary": Rotary, "learned": Learned}
