"""Shapes that do not fit, refused by name before anything is computed."""

import pytest
import torch
from attentions import Draws

from dva_lens.kernels.inputs import check
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static


def drawn():
    draw = Draws((1, 2, 1), 6)
    return draw.query(), draw.key(), Static(draw.key())


def test_shapes_that_fit_pass():
    check(*drawn(), Rule(scale=1.0, sink=torch.zeros(2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q, k, v: (q[0], k, v, {}), r"must be \(batch, head, position, width\)"),
        (lambda q, k, v: (q[:, :, :0], k[:, :, :0], v, {}), "at least one sequence and one"),
        (lambda q, k, v: (q, k[:, :, :4], v, {}), "must agree in positions where a rule"),
        (lambda q, k, v: (q, k[..., :4], v, {}), "must agree in batch and width"),
        (lambda q, k, v: (q[:, :1], k.repeat(1, 2, 1, 1), v, {}), "must be a multiple of key"),
        (
            lambda q, k, v: (q, k, Static(v.value[:, :, :3]), {}),
            r"values.value must begin with .* = \(1, 2 or 1, 6\), got shape \(1, 1, 3, 6\)",
        ),
        (lambda q, k, v: (q, k, v, {"sink": torch.zeros(3)}), "one logit per query head"),
        (
            lambda q, k, v: (q, k, v, {"segments": torch.ones(1, 5, dtype=torch.long)}),
            r"segments must be \(batch, position\) = \(1, 6\), got shape \(1, 5\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    query, key, values, rule = change(*drawn())
    with pytest.raises(ValueError, match=message):
        check(query, key, values, Rule(scale=1.0, **rule))
