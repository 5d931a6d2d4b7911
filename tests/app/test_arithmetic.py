"""The steps of one pair, as the pages write them."""

import json

import numpy as np
import pytest
from dva_lens.app.components.arithmetic import arithmetic
from own_models import tiny

from dva_lens import pair

IDS = np.random.default_rng(0).integers(3, 61, (1, 11))


@pytest.mark.parametrize(
    ("preset", "steps"),
    [("transformer", set()), ("decay", {"distance"}), ("taylor", {"similarity"})],
)
def test_a_step_is_shown_where_a_model_takes_it(preset, steps):
    found = pair(tiny(preset), IDS, layer=1, head=0, query=9, key=2).to_dict()
    _, table = arithmetic(found)
    shown = [row.children[0].children for row in table.children.children]
    assert {"distance", "similarity"} & {*shown} == steps
    assert shown[0] == "q·k"
    assert {"logit", "weight", "rank"} <= {*shown}
    json.dumps(found)


def test_a_product_without_a_say_is_said():
    found = pair(tiny("combiner"), IDS, layer=1, head=0, query=9, key=2).to_dict()
    _, table = arithmetic(found)
    said = [row.children[2].children for row in table.children.children]
    assert found["scale"] == 0
    assert said[1] == "past blocks are weighed as wholes, whatever the product"
