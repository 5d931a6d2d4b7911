"""What a value refuses, and in which words."""

from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, model_validator

from dva_lens.validation import Count, Many, Positive, Value, one_of, say_former


class Part(Value):
    called: ClassVar[str] = "part"

    layers: Annotated[int, Field(ge=1, le=1000)]
    rate: Positive = 1.0
    tied: bool = False


class Whole(Value):
    called: ClassVar[str] = "whole"
    former: ClassVar[dict[str, str]] = {"title": "name"}

    name: str
    part: Part
    other: Part | None = None
    seeds: Many[int] = (0, 1)
    words: Many[Annotated[str, one_of(lambda: ("auto", "fused"), "`list` shows them")]] = ()
    mode: Literal["fast", "exact"] = "fast"
    kind: Annotated[str, one_of(lambda: ("higher", "lower"))] = "higher"
    batch: Count = 1

    @model_validator(mode="after")
    def _check(self) -> "Whole":
        if self.batch > self.part.layers:
            raise ValueError(
                f"batch must not exceed part.layers={self.part.layers}, got {self.batch}."
            )
        return self


GOOD = {"name": "a", "part": {"layers": 2}}


def test_plain_values_make_a_value_and_come_back():
    found = Whole.from_dict({**GOOD, "seeds": [3], "other": {"layers": 1, "rate": 2}})
    assert found.seeds == (3,)
    assert found.part == Part(layers=2)
    assert found.to_dict()["other"] == {"layers": 1, "rate": 2, "tied": False}
    assert isinstance(found.to_dict()["other"]["rate"], int)
    assert Whole.from_dict(found.to_dict()) == found
    assert hash(found) == hash(Whole.from_dict(found.to_dict()))


def test_a_value_does_not_change_but_gives_another():
    found = Whole.from_dict(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        found.batch = 2  # pyright: ignore[reportAttributeAccessIssue]
    assert found.changed(batch=2).batch == 2
    with pytest.raises(ValueError, match=r"^batch must be at least 1, got 0\.$"):
        found.changed(batch=0)
    with pytest.raises(
        ValueError, match=r"Unknown key 'batc' in a whole \(did you mean 'batch'\?"
    ):
        found.changed(batc=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 2.5}, "batch must be a whole number, got 2.5."),
        ({"batch": 2.0}, "batch must be a whole number, got 2.0."),
        ({"batch": True}, "batch must be a whole number, got true."),
        ({"batch": "2"}, "batch must be a whole number, got '2'."),
        ({"batch": None}, "batch must be a whole number, got nothing."),
        ({"batch": 3}, "batch must not exceed part.layers=2, got 3."),
        ({"seeds": ["a"]}, "seeds[0] must be a whole number, got 'a'."),
        ({"seeds": [0, True]}, "seeds[1] must be a whole number, got true."),
        ({"seeds": "01"}, "seeds must be a list, got '01'."),
        ({"seeds": 3}, "seeds must be a list, got 3."),
        ({"name": 3}, "name must be text, got 3."),
        ({"mode": "exat"}, "mode must be one of fast, exact, got 'exat' (did you mean 'exact'?)."),
        ({"kind": "abc"}, "kind must be one of higher, lower, got 'abc'."),
        ({"kind": ["higher"]}, "kind must be one of higher, lower, got ['higher']."),
        (
            {"words": ["fsued"]},
            "words[0] is unknown: 'fsued' (did you mean 'fused'?); `list` shows them.",
        ),
        ({"part": 3}, "part must be a mapping of keys to values, got 3."),
        ({"part": {"layers": 10**30}}, "part.layers must be at most 1000, got 1000000000"),
        ({"part": {}}, "part lacks layers; it needs layers."),
        ({"part": {"layers": 1, "rate": 0}}, "part.rate must be more than 0, got 0"),
        ({"part": {"layers": 1, "rate": float("nan")}}, "part.rate must be a finite number, got"),
        ({"part": {"layers": 1, "tied": "yes"}}, "part.tied must be true or false, got 'yes'."),
        (
            {"other": {"layres": 1, "layers": 1}},
            "Unknown key 'layres' in other (did you mean 'layers'?); the keys are layers, rate, ",
        ),
        ({"nam": 1}, "Unknown key 'nam' in a whole (did you mean 'name'?); the keys are name, "),
        ({"title": "b"}, "title is the former name of name; keep name alone."),
        ({1: 1}, "[1] must be a word, got 1."),
    ],
)
def test_what_is_wrong_is_named_with_its_path_the_rule_and_what_came(change, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared whole
        Whole.from_dict({**GOOD, **change})
    assert str(caught.value).startswith(message)
    assert "pydantic" not in str(caught.value)


def test_a_missing_key_is_named_beside_those_it_needs():
    with pytest.raises(ValueError, match=r"^A whole lacks name; it needs name, part\.$"):
        Whole.from_dict({"part": {"layers": 1}})


@pytest.mark.parametrize("given", [None, [], 3, "name"])
def test_what_is_no_mapping_is_no_value(given):
    with pytest.raises(ValueError, match="A whole must be a mapping of keys to values, got"):
        Whole.from_dict(given)


def test_many_errors_are_counted_and_long_values_cut():
    with pytest.raises(ValueError, match=r"There are 7 more errors\.$") as caught:
        Whole.from_dict({**GOOD, "seeds": ["x" * 10_000] * 10})
    assert len(str(caught.value)) < 500


def test_a_former_name_is_read_and_the_new_one_said_in_a_line(caplog):
    old = {"title": "a", "part": {"layers": 2}}
    assert Whole.from_dict(old) == Whole.from_dict(GOOD)
    assert "title" not in Whole.from_dict(old).to_dict()
    say_former(Whole, old, "old.yaml")
    say_former(Whole, GOOD, "new.yaml")
    assert caplog.messages == ["old.yaml is read as it is: title is now name."]
