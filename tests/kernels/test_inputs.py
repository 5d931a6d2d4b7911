"""Shapes that do not fit, refused by name before anything is computed."""

import pytest
import torch
from attentions import Draws

from dva_lens.kernels.inputs import check
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.kernels.values import Relative, Static


def drawn():
    draw = Draws((1, 2, 1), 6)
    return draw.query(), draw.key(), Static(draw.key())


def moved(value, *, place=None, moves=(1, 2, 3, 6)):
    place = torch.arange(6) if place is None else place
    return Relative(value, place.expand(1, 1, 6), torch.zeros(moves))


def in_blocks(terms):
    return TextBlocks(torch.arange(6)[None] // 2, terms)


def test_shapes_that_fit_pass():
    check(*drawn(), Rule(scale=1.0, text_blocks=in_blocks(torch.zeros(1, 2, 6, 3))))
    check(*drawn(), Rule(scale=1.0, sink=torch.zeros(2)))
    query, key, values = drawn()
    check(query, key, moved(values.value), Rule(scale=1.0))


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
        (
            lambda q, k, v: (q, k, moved(v.value, moves=(1, 2, 4, 6)), {}),
            r"values.moves must be .* \(1, 2, an odd number from 3 on, 6\), got .*\(1, 2, 4, 6\)",
        ),
        (
            lambda q, k, v: (q, k, moved(v.value, place=torch.arange(6) + 1), {}),
            "values.place must count from 0 to 5; form the values of some positions with",
        ),
        (lambda q, k, v: (q, k, v, {"sink": torch.zeros(3)}), "one logit per query head"),
        (
            lambda q, k, v: (q, k, v, {"text_blocks": in_blocks(torch.zeros(1, 2, 5, 3))}),
            r"text_blocks.terms must be of shape \(1, 2, 6, 3\), got \(1, 2, 5, 3\)",
        ),
        (
            lambda q, k, v: (q, k, v, {"text_blocks": in_blocks(torch.zeros(1, 2, 6, 2))}),
            "text_blocks.number must count blocks from 0 to 1, .* got 0 to 2",
        ),
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
