"""What a model is: sizes and one variant per axis, as a value that goes to a dict and back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, final

from dva_lens.mechanisms.depth_average import DepthAverage
from dva_lens.mechanisms.feedforward import Feedforward
from dva_lens.mechanisms.norm import Norm
from dva_lens.mechanisms.output import Output
from dva_lens.mechanisms.positions import Positions
from dva_lens.mechanisms.projections import Projection
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.tables import AXES, KIND, check_members, variant
from dva_lens.mechanisms.value_form import ValueForm
from dva_lens.mechanisms.value_source import ValueSource
from dva_lens.mechanisms.variant import Variant

RENAMED = {"weights": "rule"}
"""Keys of configurations written by earlier versions, and what they are called today."""
_SIZES = ("vocabulary", "context", "layers", "width", "heads")
_RESOLVED = ("kv_heads", "qk_dim", "value_dim")


def _usual(axis: str, kind: str) -> Callable[[], Any]:
    """Return what makes the usual variant of an axis, whose module is imported by the call."""
    return lambda: AXES[axis][kind]()


@final
@dataclass(frozen=True)
class ModelConfig:
    """A decoder: its sizes, and what it is made of on each axis.

    `kv_heads` of 0 stands for as many as heads; `qk_dim` and `value_dim`, the widths of queries
    and keys and of values within a head, of 0 for width / heads. The zeros are replaced by what
    they stand for. Only every `share_kv_every`-th layer computes keys and values, the others use
    those of the layer before. Linear maps start normal with deviation `init_std`; those that
    write to the stream are divided by sqrt(2 layers) if `init_by_depth`.
    """

    vocabulary: int
    context: int
    layers: int
    width: int
    heads: int
    kv_heads: int = 0
    qk_dim: int = 0
    value_dim: int = 0
    share_kv_every: int = 1
    rule: AttentionRule = field(default_factory=_usual("rule", "softmax"))
    projections: Projection = field(default_factory=_usual("projections", "plain"))
    value_source: ValueSource = field(default_factory=_usual("value_source", "own"))
    value_form: ValueForm = field(default_factory=_usual("value_form", "static"))
    output: Output = field(default_factory=_usual("output", "plain"))
    depth_average: DepthAverage = field(default_factory=_usual("depth_average", "none"))
    feedforward: Feedforward = field(default_factory=_usual("feedforward", "swiglu"))
    positions: Positions = field(default_factory=_usual("positions", "rotary"))
    norm: Norm = field(default_factory=_usual("norm", "rms"))
    tied: bool = False
    biases: bool = False
    init_std: float = 0.02
    init_by_depth: bool = False

    def __post_init__(self) -> None:
        self._check_sizes()
        self._resolve()
        self._check_heads()
        for axis, table in AXES.items():
            variant = getattr(self, axis)
            if not isinstance(variant, table.base):
                raise TypeError(
                    f"{axis} must be a {table.base.__name__}, one of {', '.join(table)}, got "
                    f"{variant!r}."
                )
            variant.check(self.shape)
        self._check_together()

    @property
    def shape(self) -> Shape:
        """Return the sizes that mechanisms may need to know."""
        return Shape(**{each.name: getattr(self, each.name) for each in fields(Shape)})

    @property
    def value_parts(self) -> int:
        """Return how many vectors of the value width the static value of a key holds."""
        return self.value_form.parts

    def owns_keys(self, layer: int) -> bool:
        """Say whether the layer computes keys, and with them whatever values it has."""
        return layer % self.share_kv_every == 0

    def owns_values(self, layer: int) -> bool:
        """Say whether the layer has a value projection."""
        return self.owns_keys(layer) and self.value_source.owns(self.shape, layer)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain values that `from_dict` takes back."""
        plain = asdict(self)
        for axis, table in AXES.items():
            kind = table.name_of(getattr(self, axis))
            options = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in plain[axis].items()
            }
            plain[axis] = {KIND: kind, **options}
        return plain

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "ModelConfig":
        """Build a model from plain values; an unknown key is refused by its name."""
        given = {RENAMED.get(name, name): value for name, value in given.items()}
        check_members("key of a model", given, [each.name for each in fields(cls)])
        missing = [name for name in _SIZES if name not in given]
        if missing:
            raise ValueError(
                f"A model needs {', '.join(_SIZES)}; {', '.join(missing)} is missing."
            )
        values = dict(given)
        for axis in AXES:
            if axis in values and not isinstance(values[axis], Variant):
                values[axis] = variant(axis, values[axis])
        return cls(**values)

    def changed(self, **changes: Any) -> "ModelConfig":
        """Return the model with some fields changed; variants may be given by name or as dicts."""
        check_members("key of a model", changes, [each.name for each in fields(self)])
        read = {
            name: variant(name, value)
            if name in AXES and not isinstance(value, Variant)
            else value
            for name, value in changes.items()
        }
        return replace(self, **read)

    def _check_sizes(self) -> None:
        least = dict.fromkeys(_SIZES, 1) | dict.fromkeys(_RESOLVED, 0) | {"share_kv_every": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise ValueError(f"{name} must be a whole number from {lowest} on, got {value!r}.")
        if not self.init_std > 0:
            raise ValueError(f"init_std must exceed 0, got {self.init_std}.")

    def _resolve(self) -> None:
        for name in ("qk_dim", "value_dim"):
            if getattr(self, name) == 0:
                if self.width % self.heads:
                    raise ValueError(
                        f"width must be a multiple of heads where {name} is not given, got "
                        f"width={self.width}, heads={self.heads}."
                    )
                object.__setattr__(self, name, self.width // self.heads)
        if self.kv_heads == 0:
            object.__setattr__(self, "kv_heads", self.heads)

    def _check_heads(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError(
                f"kv_heads must divide heads, got kv_heads={self.kv_heads}, heads={self.heads}."
            )
        if self.share_kv_every > self.layers:
            raise ValueError(
                f"share_kv_every must not exceed layers, got {self.share_kv_every} for "
                f"{self.layers} layers."
            )

    def _check_together(self) -> None:
        """Refuse what only the combination makes impossible."""
        idle = [
            layer
            for layer in getattr(self.value_source, "layers", None) or ()
            if not self.owns_keys(layer)
        ]
        if idle:
            raise ValueError(
                f"Layers that share keys and values have no values of their own to change: with "
                f"share_kv_every={self.share_kv_every} the layers of a value source must be "
                f"multiples of it, got {idle}."
            )
