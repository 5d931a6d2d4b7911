"""Interventions as values: what is changed in a forward pass, and what it is held against.

Each names one layer, changes what its attention writes and nothing else, and comes with a
control: a change of equal size that spares what the intervention aims at. None of them knows
torch; `dva_lens.diagnostics.interventions.changes` carries them out.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, final


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """A change of one layer; `control` says in words what stands beside it."""

    control: ClassVar[str]
    layer: int

    @property
    def name(self) -> str:
        """Return the name of the table."""
        return next(name for name, kind in INTERVENTIONS.items() if kind is type(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the intervention as plain values, from which `from_dict` makes it again."""
        return {"intervention": self.name, **asdict(self)}


@final
@dataclass(frozen=True, kw_only=True)
class RemoveSink(Intervention):
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
    head: int
    key: int = 0
    by: str = "mask"
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_places(layer=self.layer, head=self.head, key=self.key)
        if self.by not in ("mask", "value"):
            raise ValueError(f"by must be 'mask' or 'value', got {self.by!r}.")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share}.")


@final
@dataclass(frozen=True, kw_only=True)
class DropHead(Intervention):
    """Let a head write nothing.

    Raises
    ------
    ValueError
        A number is negative.
    """

    control: ClassVar[str] = "other heads dropped, drawn at random from all layers"
    head: int

    def __post_init__(self) -> None:
        _check_places(layer=self.layer, head=self.head)


@final
@dataclass(frozen=True, kw_only=True)
class DropLayer(Intervention):
    """Let all heads of a layer write nothing.

    Raises
    ------
    ValueError
        The number is negative.
    """

    control: ClassVar[str] = "other layers dropped, drawn at random"

    def __post_init__(self) -> None:
        _check_places(layer=self.layer)


@final
@dataclass(frozen=True, kw_only=True)
class FreezeValues(Intervention):
    """Give every key the mean of its values over queries, weighted by attention.

    What is left of values that are decided for each query is then a static value per key, the one
    that dynamism compares them with.

    Raises
    ------
    ValueError
        The number is negative.
    """

    control: ClassVar[str] = "a change of the same size for each token, in a random direction"

    def __post_init__(self) -> None:
        _check_places(layer=self.layer)


@final
@dataclass(frozen=True, kw_only=True)
class Temperature(Intervention):
    """Divide the scores of a head by a temperature: above one, its attention spreads.

    Raises
    ------
    ValueError
        `temperature` is not positive, or a number is negative.
    """

    control: ClassVar[str] = "a change of the same size for each token, in a random direction"
    head: int
    temperature: float

    def __post_init__(self) -> None:
        _check_places(layer=self.layer, head=self.head)
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}.")


INTERVENTIONS: dict[str, type[Intervention]] = {
    "remove-sink": RemoveSink,
    "drop-head": DropHead,
    "drop-layer": DropLayer,
    "freeze-values": FreezeValues,
    "temperature": Temperature,
}


def from_dict(values: dict[str, Any]) -> Intervention:
    """Return the intervention that `to_dict` described.

    Raises
    ------
    KeyError
        There is no intervention of this name.
    TypeError
        It does not take one of the values, or lacks one.
    """
    from dva_lens.validation import (
        meant,  # here, because the command line asks for the table alone
    )

    given = dict(values)
    name = str(given.pop("intervention", ""))
    if name not in INTERVENTIONS:
        raise KeyError(
            f"Unknown intervention {name!r}{meant(name, INTERVENTIONS)}; there are: "
            f"{', '.join(INTERVENTIONS)}."
        )
    try:
        return INTERVENTIONS[name](**given)
    except TypeError as error:
        raise TypeError(f"{name} cannot be made of {given}: {error.args[0]}.") from error


def _check_places(**places: int) -> None:
    for name, place in places.items():
        if place < 0:
            raise ValueError(f"{name} must be 0 or more, got {place}.")
