"""Maps to a value chosen by the key's token, and maps back to the stream by the query's."""

from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from dva_lens.kernels.values import ExpertGated, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    Key,
    Operands,
    Query,
    Stream,
    Value,
    heads_first,
)
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Count


@final
class SwitchHead(ValueForm, frozen=True):
    """The key's token chooses among maps to a value, the query's among maps back.

    W_V holds the maps of all experts, and W_O as many back: a head hands the output projection
    one copy of what it attended per expert, scaled by the expert's gate. On both sides `active`
    of the `experts` have a gate other than zero, and gates do not compete.
    """

    formula: ClassVar[str] = (
        "W_O v_ij = Σ_e σ(D x_i)_e W_O^e Σ_f σ(S x_j)_f W_V^f x_j, the k largest gates of each"
    )
    source: ClassVar[str] = "Csordás et al. 2024 (2312.07987), and their code"
    ours: ClassVar[str] = (
        "the start of all maps, and no dropout of experts; experts that are not chosen are "
        "computed as well, and weighed by zero"
    )
    pairing: ClassVar[str] = "no: collapses into a value of the key and a gate after attention"

    experts: Annotated[int, Field(ge=2)] = 4
    active: Count = 2

    def check(self, shape: Shape) -> None:
        """Refuse to choose more experts than there are.

        Raises
        ------
        ValueError
            More experts are active than there are.
        """
        del shape
        if self.active > self.experts:
            raise ValueError(
                f"active must not exceed experts, got active={self.active}, "
                f"experts={self.experts}."
            )

    @property
    def parts(self) -> int:
        """Return the number of maps to a value."""
        return self.experts

    @property
    def outputs(self) -> int:
        """Return the number of maps back to the stream."""
        return self.experts

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the maps that make the gates; the experts belong to W_V and W_O."""
        del layer, linear
        return shape.width * self._gates(shape)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the gates, the sum of the values, and one scaled copy per map back."""
        del layer, keys
        gates = (2.0 * shape.width + 1) * self._gates(shape)
        return gates + 2.0 * shape.value_channels + shape.output_channels

    def _gates(self, shape: Shape) -> int:
        return (shape.heads + shape.kv_heads) * self.experts

    def kept(self, shape: Shape, static: int) -> int:
        """Return the one value that was chosen, wherever its experts' values come from."""
        del static
        return shape.kv_heads * shape.value_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return SwitchHeadModule(shape, self.experts, self.active)


@final
class SwitchHeadModule(FormModule):
    """v_ij = (g_i1 v_j, ..., g_iE v_j), v_j = Σ_f s_jf v_j^f; the operands are v_j^f, s_j, g_i."""

    def __init__(self, shape: Shape, experts: int, active: int) -> None:
        super().__init__()
        self.experts, self.active = experts, active
        self.query_gate = nn.Linear(shape.width, shape.heads * experts, bias=False)
        self.key_gate = nn.Linear(shape.width, shape.kv_heads * experts, bias=False)

    def read(self, stream: Stream) -> Operands:
        """Return the gates, which the normalised stream decides."""
        return {
            "query": self._gates(stream.of_query(self.query_gate)),
            "key": self._gates(stream.of_key(self.key_gate)),
        }

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value by every map."""
        del query, key
        return {"value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes, and the gates after it."""
        gate, offered = operands["key"], operands["value"].unflatten(-1, (self.experts, -1))
        value = (gate.to(offered.dtype)[..., None] * offered).sum(dim=-2)
        return ExpertGated(heads_first(value), heads_first(operands["query"].to(value.dtype)))

    def _gates(
        self, logits: Float[Tensor, "batch position any_head expert"]
    ) -> Float[Tensor, "batch position any_head expert"]:
        """Return sigmoids, and zero for all but the largest."""
        gates = torch.sigmoid(logits)
        chosen = gates.topk(self.active, dim=-1).indices
        return gates * torch.zeros_like(gates).scatter(-1, chosen, 1.0)
