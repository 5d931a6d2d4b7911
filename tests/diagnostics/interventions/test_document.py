"""An intervention as plain values: nothing is lost, and it is JSON."""

import json

import numpy as np
import pytest
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.interventions.document import CHANGED, document_of
from dva_lens.diagnostics.interventions.values import RemoveSink, intervention_of

LENGTHS = (12, 9)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]


@pytest.fixture(scope="module")
def found():
    return lens.intervene(tiny("transformer", layers=2), ROWS, RemoveSink(layer=1, head=0))


def test_the_numbers_of_a_document_are_those_of_the_result(found):
    made = json.loads(json.dumps(document_of(found), allow_nan=False))
    assert intervention_of(made["intervention"]) == RemoveSink(layer=1, head=0)
    assert made["mass"]["removed"] == found.attrs["mass_removed"]
    assert [one["document"] for one in made["sequences"]] == list(found["document"].values)
    assert [len(one["tokens"]) for one in made["sequences"]] == list(LENGTHS)
    for changed in CHANGED:
        effect = made["effects"]["loss"][changed]
        assert effect["mean"] == float(found["effect"].sel(changed=changed, quantity="loss"))
        each = [one["changes"]["loss"][changed][:-1] for one in made["sequences"]]
        assert np.concatenate(each).mean() == pytest.approx(effect["mean"])
        assert effect["low"] <= effect["mean"] <= effect["high"]


def test_what_there_is_not_is_null(found):
    made = document_of(found)["sequences"][0]
    assert made["loss"][-1] is None
    rest = found.copy()
    rest.attrs = {name: value for name, value in found.attrs.items() if "mass" not in name}
    assert document_of(rest)["mass"] is None
