"""What a model is: sizes and one variant per axis, as a value that goes to a dict and back."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from inspect import signature
from typing import Any, final

from dva_lens.mechanisms.depth_average import DEPTH_AVERAGES, DepthAverage, NoAverage
from dva_lens.mechanisms.feedforward import FEEDFORWARDS, Feedforward, SwiGlu
from dva_lens.mechanisms.norm import NORMS, Norm, RmsNorm
from dva_lens.mechanisms.output import OUTPUTS, Neutreno, Output, PlainOutput
from dva_lens.mechanisms.positions import POSITIONS, Positions, Rotary
from dva_lens.mechanisms.projections import PROJECTIONS, PlainProjection, Projection
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import VALUE_FORMS, StaticValue, ValueForm
from dva_lens.mechanisms.value_source import VALUE_SOURCES, Own, ValueSource
from dva_lens.mechanisms.variant import Variant
from dva_lens.mechanisms.weights import WEIGHTS, Softmax, WeightRule
from dva_lens.plugins import Registry

AXES: dict[str, Mapping[str, type[Variant]]] = {
    "weights": Registry(WEIGHTS),
    "projections": Registry(PROJECTIONS),
    "value_source": Registry(VALUE_SOURCES),
    "value_form": Registry(VALUE_FORMS),
    "output": Registry(OUTPUTS),
    "depth_average": Registry(DEPTH_AVERAGES),
    "feedforward": Registry(FEEDFORWARDS),
    "positions": Registry(POSITIONS),
    "norm": Registry(NORMS),
}
KIND = "kind"
_SIZES = ("vocabulary", "context", "layers", "width", "heads")
_RESOLVED = ("kv_heads", "qk_dim", "value_dim")


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
    weights: WeightRule = field(default_factory=Softmax)
    projections: Projection = field(default_factory=PlainProjection)
    value_source: ValueSource = field(default_factory=Own)
    value_form: ValueForm = field(default_factory=StaticValue)
    output: Output = field(default_factory=PlainOutput)
    depth_average: DepthAverage = field(default_factory=NoAverage)
    feedforward: Feedforward = field(default_factory=SwiGlu)
    positions: Positions = field(default_factory=Rotary)
    norm: Norm = field(default_factory=RmsNorm)
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
            if type(variant) not in table.values():
                raise TypeError(
                    f"{axis} must be one of {', '.join(each.__name__ for each in table.values())}"
                    f", got {variant!r}."
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
            kind = next(
                name for name, each in table.items() if isinstance(getattr(self, axis), each)
            )
            options = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in plain[axis].items()
            }
            plain[axis] = {KIND: kind, **options}
        return plain

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "ModelConfig":
        """Build a model from plain values; an unknown key is refused by its name."""
        known = [each.name for each in fields(cls)]
        _check_members("key of a model", given, known)
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
        _check_members("key of a model", changes, [each.name for each in fields(self)])
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
        if isinstance(self.output, Neutreno) and self.value_form.parts > 1:
            raise ValueError(
                f"neutreno adds one value to one output, got a value form of "
                f"{self.value_form.parts} values per key; use another form or output."
            )


def variant(axis: str, given: str | Mapping[str, Any]) -> Variant:
    """Return a variant from its name, or from a dict of its kind and its options."""
    _check_members("axis", [axis], AXES)
    options = {KIND: given} if isinstance(given, str) else dict(given)
    if KIND not in options:
        raise ValueError(f"{axis} needs a {KIND!r}, one of {', '.join(AXES[axis])}.")
    kind = options.pop(KIND)
    _check_members(f"kind of {axis}", [kind], AXES[axis])
    chosen = AXES[axis][kind]
    _check_members(f"option of {kind}", options, list(signature(chosen).parameters))
    return chosen(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def _check_members(kind: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            close = get_close_matches(str(name), list(known), n=3, cutoff=0.5)
            hint = f"close matches: {', '.join(close)}; " if close else ""
            raise ValueError(
                f"Unknown {kind} {name!r}: {hint}there are: {', '.join(known) or 'none'}."
            )
