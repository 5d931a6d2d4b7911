"""Interventions as values: what is changed in a forward pass, and what it is held against.

Each names a layer, changes what its attention writes and nothing else, and comes with a control: a
change of equal size that spares what the intervention aims at. None of them knows torch;
`dva_lens.diagnostics.interventions.changes` carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from dva_lens.diagnostics.interventions import NAMES
from dva_lens.validation import Number, Value, meant

NAME = "intervention"
"""The key that says which intervention plain values describe."""


def _not_negative(place: int) -> int:
    if place < 0:
        raise ValueError(f"must be 0 or more, got {place}.")
    return place


@final
@dataclass(frozen=True)
class OneOf:
    """What a field of words may say, for whoever checks it and for whoever offers a choice."""

    words: tuple[str, str]

    def check(self, word: str) -> str:
        """Return a word that is one of these.

        Raises
        ------
        ValueError
            It is another one.
        """
        if word not in self.words:
            first, second = self.words
            raise ValueError(f"must be {first!r} or {second!r}, got {word!r}.")
        return word

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check a word where pydantic checks the field."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"must lie between 0 and 1, got {share}.")
    return share


def _above_zero(temperature: float) -> float:
    if not temperature > 0:
        raise ValueError(f"must be above 0, got {temperature}.")
    return temperature


Place = Annotated[int, AfterValidator(_not_negative)]
Share = Annotated[Number, AfterValidator(_share)]
SAME_SIZE = "a change of the same size for each token, in a random direction"


class Intervention(Value, frozen=True):
    """A change of one layer; `control` says in words what stands beside it.

    Where `layer` may be None, that stands for every layer that has what is changed.
    """

    called: ClassVar[str] = "change of attention"
    control: ClassVar[str]
    layer: Place | None

    @property
    def name(self) -> str:
        """Return the name of the table."""
        return next(name for name, kind in INTERVENTIONS.items() if kind is type(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the intervention as plain values, from which `intervention_of` makes it again."""
        return {NAME: self.name, **super().to_dict()}


@final
class RemoveSink(Intervention, frozen=True):
    """Take the weight on one key away from all queries of a head, or what its value adds.

    Parameters
    ----------
    layer, head : int
        Which head; heads are those of queries.
    key : int
        Position of the key in each sequence.
    by : {"mask", "value"}
        "mask" divides the remaining weights by their sum, as hiding the key would; "value" leaves
        them, as a value of zero would.
    share : float
        How much of the weight on the key is taken, from 0 to 1.

    A query that has less weight on all other keys than is to be taken has no control, and is left
    as it is in both; the result says how much of the mass was covered.

    Raises
    ------
    ValueError
        `by` is neither, `share` lies outside 0 and 1, or a number is negative.
    """

    control: ClassVar[str] = "the same mass taken from other keys, drawn at random for each query"
    layer: Place
    head: Place
    key: Place = 0
    by: Annotated[str, OneOf(("mask", "value"))] = "mask"
    share: Share = 1.0


@final
class DropHead(Intervention, frozen=True):
    """Let a head write nothing.

    Raises
    ------
    ValueError
        A number is negative.
    """

    control: ClassVar[str] = "other heads dropped, drawn at random from all layers"
    layer: Place
    head: Place


@final
class DropLayer(Intervention, frozen=True):
    """Let all heads of a layer write nothing.

    Raises
    ------
    ValueError
        The number is negative.
    """

    control: ClassVar[str] = "other layers dropped, drawn at random"
    layer: Place


@final
class FreezeValues(Intervention, frozen=True):
    """Give every key the mean of its values over queries, weighted by attention.

    What is left of values that are decided for each query is then a static value per key, the one
    that dynamism compares them with.

    Raises
    ------
    ValueError
        The number is negative.
    """

    control: ClassVar[str] = SAME_SIZE
    layer: Place


@final
class SwapValues(Intervention, frozen=True):
    """Give a layer the values of another text, to be mixed by the weights of its own.

    Position by position; a position that the other text does not have keeps its values.

    Parameters
    ----------
    layer : int
        Which layer.
    part : {"all", "query"}
        "all" takes all that the values are made of; "query" what the query has a part in and
        nothing else, such as a_i of GELU(a_i + b_j), so that what a key offers stays.

    Raises
    ------
    ValueError
        `part` is neither, or the number is negative.
    """

    control: ClassVar[str] = SAME_SIZE
    layer: Place
    part: Annotated[str, OneOf(("all", "query"))] = "all"


@final
class DropValueResidual(Intervention, frozen=True):
    """Set the weight of the first layer's values to zero, so that a layer mixes its own alone.

    Parameters
    ----------
    layer : int, optional
        Which layer; default: all layers that mix values of the first.
    share : float
        How much of the weight is taken, from 0 to 1.

    Raises
    ------
    ValueError
        `share` lies outside 0 and 1, or the number is negative.
    """

    control: ClassVar[str] = SAME_SIZE
    layer: Place | None = None
    share: Share = 1.0


@final
class SwapFirstValues(Intervention, frozen=True):
    """Let a layer mix in first-layer values that belong elsewhere, with the weight as it is.

    Parameters
    ----------
    layer : int, optional
        Which layer; default: all layers that take values of the first.
    by : {"text", "position"}
        "text" takes those of another text, position by position; a position that it does not have
        keeps its own. "position" takes those of the same text in an order drawn at random, by
        which values of later tokens reach earlier ones.

    Raises
    ------
    ValueError
        `by` is neither, or the number is negative.
    """

    control: ClassVar[str] = SAME_SIZE
    layer: Place | None = None
    by: Annotated[str, OneOf(("text", "position"))] = "text"


@final
class Temperature(Intervention, frozen=True):
    """Divide the scores of a head by a temperature: above one, its attention spreads.

    Raises
    ------
    ValueError
        `temperature` is not positive, or a number is negative.
    """

    control: ClassVar[str] = SAME_SIZE
    layer: Place
    head: Place
    temperature: Annotated[Number, AfterValidator(_above_zero)]


INTERVENTIONS: dict[str, type[Intervention]] = dict(
    zip(
        NAMES,
        (
            RemoveSink,
            DropHead,
            DropLayer,
            FreezeValues,
            SwapValues,
            DropValueResidual,
            SwapFirstValues,
            Temperature,
        ),
        strict=True,
    )
)


def intervention_of(values: Mapping[str, Any]) -> Intervention:
    """Return the intervention that `to_dict` described.

    Raises
    ------
    KeyError
        There is no intervention of this name.
    ValueError
        A key is missing, unknown, of another type or out of range.
    """
    name = str(values.get(NAME, ""))
    if name not in INTERVENTIONS:
        raise KeyError(
            f"Unknown intervention {name!r}{meant(name, INTERVENTIONS)}; there are: "
            f"{', '.join(INTERVENTIONS)}."
        )
    return INTERVENTIONS[name].from_dict({k: v for k, v in values.items() if k != NAME})
