"""What a model is: sizes and one variant per axis, as a value that goes to a dict and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, ClassVar, final

from pydantic import BeforeValidator, Field, model_validator

from dva_lens.mechanisms.composition import HeadComposition
from dva_lens.mechanisms.depth_average import DepthAverage
from dva_lens.mechanisms.feedforward import Feedforward
from dva_lens.mechanisms.mixer import TokenMixer
from dva_lens.mechanisms.norm import Norm
from dva_lens.mechanisms.output import Output
from dva_lens.mechanisms.positions import Positions
from dva_lens.mechanisms.projections import Projection
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.scores import Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.tables import AXES, plain, variant
from dva_lens.mechanisms.value_form import ValueForm
from dva_lens.mechanisms.value_source import ValueSource
from dva_lens.mechanisms.visibility import VisibleKeys
from dva_lens.validation import Many, Positive, Value, as_list

Vocabulary = Annotated[int, Field(ge=1, le=1 << 24)]
Context = Annotated[int, Field(ge=1, le=1 << 24)]
Layers = Annotated[int, Field(ge=1, le=1 << 12)]
Width = Annotated[int, Field(ge=1, le=1 << 20)]
Heads = Annotated[int, Field(ge=1, le=1 << 12)]


def _of(axis: str) -> BeforeValidator:
    """Return a reader of what stands for a variant of an axis: a name, plain values, a value."""
    return BeforeValidator(lambda given: variant(axis, given))


def _usual(axis: str, kind: str) -> Any:
    """Return a field that is of the usual kind by default; its module is imported when needed."""
    return Field(default_factory=lambda: AXES[axis][kind]())


@final
class ModelConfig(Value, frozen=True):
    """A decoder: its sizes, and what it is made of on each axis.

    A variant is given by its name, as a mapping of its `kind` and its options, or as a value.
    `kv_heads` of 0 stands for as many as heads; `qk_dim` and `value_dim`, the widths of queries
    and keys and of values within a head, of 0 for width / heads. The zeros are replaced by what
    they stand for. Only every `share_kv_every`-th layer computes keys and values, the others use
    those of the layer before; only every `share_pattern_every`-th layer computes queries and keys,
    the others weigh as the layer before. `standard_layers` keep attention with dot-product scores
    under softmax over all keys by heads of their own, whatever `mixer`, `scores`, `rule`,
    `visibility` and `composition` the others have. Queries, keys and values read the first
    `attended_width` channels of the normalised stream, 0 for all; the others go to the output
    projection unattended. Linear maps start normal with deviation `init_std`; those that write to
    the stream are divided by sqrt(2 layers) if `init_by_depth`.

    Raises
    ------
    ValueError
        A key is missing or unknown, a value is of another type or out of range, or the sizes and
        variants do not go together; the message names the key, the rule and the numbers.

    Examples
    --------
    >>> config = ModelConfig(
    ...     vocabulary=64, context=32, layers=2, width=32, heads=2, value_form="pairwise"
    ... )
    >>> config.value_form.formula
    'v_ij = φ(A q_i + B v_j + b), b = b₁ + b₂'
    >>> ModelConfig.from_dict(config.to_dict()) == config
    True
    >>> config.changed(rule={"kind": "sigmoid", "bias": -2.0}).rule
    Sigmoid(bias=-2.0)
    """

    called: ClassVar[str] = "model"
    former: ClassVar[Mapping[str, str]] = {"weights": "rule"}

    vocabulary: Vocabulary
    context: Context
    layers: Layers
    width: Width
    heads: Heads
    kv_heads: Annotated[int, Field(ge=0)] = 0
    qk_dim: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    value_dim: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    share_kv_every: Annotated[int, Field(ge=1)] = 1
    share_pattern_every: Annotated[int, Field(ge=1)] = 1
    standard_layers: Many[Annotated[int, Field(ge=0)]] = ()
    attended_width: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    mixer: Annotated[TokenMixer, _of("mixer")] = _usual("mixer", "attention")
    scores: Annotated[Scores, _of("scores")] = _usual("scores", "dot-product")
    rule: Annotated[AttentionRule, _of("rule")] = _usual("rule", "softmax")
    visibility: Annotated[VisibleKeys, _of("visibility")] = _usual("visibility", "all")
    composition: Annotated[HeadComposition, _of("composition")] = _usual("composition", "none")
    projections: Annotated[Projection, _of("projections")] = _usual("projections", "plain")
    value_source: Annotated[ValueSource, _of("value_source")] = _usual("value_source", "own")
    value_form: Annotated[ValueForm, _of("value_form")] = _usual("value_form", "static")
    output: Annotated[Output, _of("output")] = _usual("output", "plain")
    depth_average: Annotated[DepthAverage, _of("depth_average")] = _usual("depth_average", "none")
    feedforward: Annotated[Feedforward, _of("feedforward")] = _usual("feedforward", "swiglu")
    positions: Annotated[Positions, _of("positions")] = _usual("positions", "rotary")
    norm: Annotated[Norm, _of("norm")] = _usual("norm", "rms")
    tied: bool = False
    biases: bool = False
    init_std: Positive = 0.02
    init_by_depth: bool = False

    @property
    def shape(self) -> Shape:
        """Return the sizes that mechanisms may need to know."""
        return Shape(**{each.name: getattr(self, each.name) for each in fields(Shape)})

    @property
    def value_parts(self) -> int:
        """Return how many vectors of the value width the static value of a key holds."""
        return self.value_form.parts

    @property
    def output_parts(self) -> int:
        """Return how many vectors of the value width a head hands to the output projection."""
        return self.value_form.outputs

    @property
    def channels_read(self) -> int:
        """Return how many channels of the stream queries, keys and values are made of."""
        return self.attended_width or self.width

    def owns_keys(self, layer: int) -> bool:
        """Say whether the layer computes keys, and with them whatever values it has."""
        return layer % self.share_kv_every == 0

    def owns_pattern(self, layer: int) -> bool:
        """Say whether the layer weighs keys by queries and keys of its own."""
        return layer % self.share_pattern_every == 0

    def mixer_of(self, layer: int) -> TokenMixer:
        """Return what a layer has in the place of attention."""
        standard = layer in self.standard_layers
        return AXES["mixer"]["attention"]() if standard else self.mixer

    def attends(self, layer: int) -> bool:
        """Say whether a layer forms an attention pattern."""
        return self.mixer_of(layer).attends

    def scores_of(self, layer: int) -> Scores:
        """Return what the scores of a layer are made of."""
        standard = layer in self.standard_layers
        return AXES["scores"]["dot-product"]() if standard else self.scores

    def rule_of(self, layer: int) -> AttentionRule:
        """Return how the scores of a layer become weights."""
        return AXES["rule"]["softmax"]() if layer in self.standard_layers else self.rule

    def visibility_of(self, layer: int) -> VisibleKeys:
        """Return which keys the queries of a layer see."""
        return AXES["visibility"]["all"]() if layer in self.standard_layers else self.visibility

    def composition_of(self, layer: int) -> HeadComposition:
        """Return what the heads of a layer make of each other's scores and weights."""
        standard = layer in self.standard_layers
        return AXES["composition"]["none"]() if standard else self.composition

    def owns_values(self, layer: int) -> bool:
        """Say whether the layer has a value projection."""
        owned = self.attends(layer) and self.owns_keys(layer)
        return owned and self.value_source.owns(self.shape, layer)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain values that `from_dict` takes back."""
        return {
            name: plain(name, value) if name in AXES else as_list(value)
            for name, value in dict(self).items()
        }

    @model_validator(mode="after")
    def _together(self) -> "ModelConfig":
        """Put in what zeros stand for, and refuse what only a combination makes impossible."""
        self._resolve()
        if self.heads % self.kv_heads:
            raise ValueError(
                f"kv_heads must divide heads, got kv_heads={self.kv_heads}, heads={self.heads}."
            )
        for name in ("share_kv_every", "share_pattern_every"):
            if getattr(self, name) > self.layers:
                raise ValueError(
                    f"{name} must not exceed layers, got {getattr(self, name)} for {self.layers} "
                    f"layers."
                )
        for axis in AXES:
            getattr(self, axis).check(self.shape)
        self._check_mixer()
        self._check_shared()
        self._check_operands()
        self._check_terms()
        self._check_blocks()
        self._check_composition()
        self._check_pattern()
        self._check_standard()
        return self

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
        if self.attended_width == self.width:
            object.__setattr__(self, "attended_width", 0)
        if self.attended_width > self.width:
            raise ValueError(
                f"attended_width must not exceed width, got attended_width={self.attended_width}, "
                f"width={self.width}."
            )

    def _check_mixer(self) -> None:
        """Refuse choices about attention in layers that do not attend."""
        if self.mixer.attends:
            return
        about = (
            "scores",
            "rule",
            "visibility",
            "composition",
            "value_source",
            "share_kv_every",
            "share_pattern_every",
        )
        alone = () if self.standard_layers else ("value_form", "output", "attended_width")
        usual = {
            name: type(self).model_fields[name].get_default(call_default_factory=True)
            for name in (*about, *alone)
        }
        idle = [name for name, value in usual.items() if getattr(self, name) != value]
        if idle:
            raise ValueError(
                f"Layers of mixer {plain('mixer', self.mixer)['kind']} do not attend, so nothing "
                f"can be chosen about their attention; leave out {', '.join(idle)}."
            )

    def _check_shared(self) -> None:
        """Refuse a source of values for layers that use those of another."""
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

    def _check_operands(self) -> None:
        """Refuse values that are made of queries where queries say nothing of their tokens."""
        if self.value_form.reads_query and not self.scores.of_tokens:
            scores, form = (plain(name, getattr(self, name)) for name in ("scores", "value_form"))
            raise ValueError(
                f"A value form that reads queries needs scores that make them of tokens, got "
                f"value_form {form['kind']} with scores {scores['kind']}."
            )

    def _check_terms(self) -> None:
        """Refuse terms of scores where the rule bends the products alone."""
        kind = plain("rule", self.rule)["kind"]
        if self.scores.own_terms and kind in ("taylor", "linear"):
            raise ValueError(
                f"Scores with terms by distance need a rule of whole scores, got scores "
                f"{plain('scores', self.scores)['kind']} with rule {kind}."
            )

    def _check_blocks(self) -> None:
        """Refuse a rule of whole blocks where queries see a part of them, or scores have terms."""
        if not self.rule.of_blocks:
            return
        kinds = {
            axis: plain(axis, getattr(self, axis))["kind"]
            for axis in ("rule", "scores", "visibility")
        }
        if kinds["visibility"] != "all":
            raise ValueError(
                f"A rule of blocks needs queries that see all keys, got rule {kinds['rule']} with "
                f"visibility {kinds['visibility']}."
            )
        if self.scores.own_terms:
            raise ValueError(
                f"A rule of blocks needs scores of queries and keys alone, got rule "
                f"{kinds['rule']} with scores {kinds['scores']}, which have terms by distance."
            )

    def _check_composition(self) -> None:
        """Refuse heads that compose what a rule, a form or a pattern leaves to one of them."""
        if not self.composition.composes:
            return
        kinds = {
            axis: plain(axis, getattr(self, axis))["kind"]
            for axis in ("composition", "rule", "value_form")
        }
        if kinds["rule"] in ("taylor", "linear") or self.rule.of_blocks:
            raise ValueError(
                f"Heads compose scores that the rule takes as they are, got composition "
                f"{kinds['composition']} with rule {kinds['rule']}."
            )
        if not self.value_form.of_key:
            raise ValueError(
                f"Heads that compose their weights, which may be negative, need values of keys "
                f"alone, got composition {kinds['composition']} with value_form "
                f"{kinds['value_form']}."
            )
        if self.share_pattern_every > 1:
            raise ValueError(
                f"Layers that share a pattern cannot have heads that each of them composes, got "
                f"composition {kinds['composition']} with share_pattern_every="
                f"{self.share_pattern_every}."
            )

    def _check_pattern(self) -> None:
        """Refuse to copy a pattern whose rule or whose keys belong to one layer."""
        if self.share_pattern_every == 1:
            return
        if self.share_kv_every > 1:
            raise ValueError(
                f"Layers share patterns or keys and values, not both: got share_pattern_every="
                f"{self.share_pattern_every} and share_kv_every={self.share_kv_every}."
            )
        if self.scores.own_terms or self.scores.own_phases:
            raise ValueError(
                f"Layers that share a pattern cannot have scores with "
                f"{'terms' if self.scores.own_terms else 'phases'} that each of them learns, got "
                f"scores {plain('scores', self.scores)['kind']} with share_pattern_every="
                f"{self.share_pattern_every}."
            )
        if self.rule.parameters(self.shape, 0, lambda *_: 0):
            raise ValueError(
                f"Layers that share a pattern cannot have a rule that each of them learns, got "
                f"rule {plain('rule', self.rule)['kind']} with share_pattern_every="
                f"{self.share_pattern_every}."
            )

    def _check_standard(self) -> None:
        """Refuse standard layers that are not there, or that say nothing."""
        listed = self.standard_layers
        if not listed:
            return
        if list(listed) != sorted({*listed}) or listed[-1] >= self.layers:
            raise ValueError(
                f"standard_layers must rise from 0 on and stay below {self.layers}, got "
                f"{list(listed)}."
            )
        here = {"mixer": self.mixer_of, "scores": self.scores_of, "rule": self.rule_of}
        here |= {"visibility": self.visibility_of, "composition": self.composition_of}
        plainly = all(of(listed[0]) == getattr(self, name) for name, of in here.items())
        if plainly or len(listed) == self.layers:
            raise ValueError(
                "standard_layers need other layers whose mixer, scores, rule, visibility or "
                "composition are not standard; leave them out where all layers are alike."
            )
        every = max(self.share_kv_every, self.share_pattern_every)
        first = {layer: layer - layer % every for layer in range(self.layers)}
        if any((layer in listed) != (first[layer] in listed) for layer in first):
            raise ValueError(
                f"Layers that share keys or a pattern are of one kind: with groups of {every} "
                f"layers, standard_layers must hold whole groups, got {list(listed)}."
            )
