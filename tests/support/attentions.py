"""Seeded attentions over every mask kind, value form and head layout, for the kernels' tests."""

from collections.abc import Callable

import torch

from dva_lens.kernels.composition import Composition, HeadMaps, TokenMaps
from dva_lens.kernels.decay import Decay
from dva_lens.kernels.interacting import Interacting
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.kernels.values import (
    ExpertGated,
    Experts,
    PairGated,
    Pairwise,
    QueryGated,
    Relative,
    Separable,
    Static,
    Values,
)

SCALE = 0.4
LENGTHS = (1, 7, 33, 130)
LAYOUTS = {"one-head": (1, 1, 1), "grouped": (2, 4, 2), "one-kv-head": (2, 3, 1)}


class Draws:
    """Random tensors of one batch, head layout, length and dtype."""

    def __init__(self, layout=(2, 4, 2), length=33, *, dtype=torch.float64, seed=0, grad=False):
        self.batch, self.heads, self.kv_heads = layout
        self.length, self.dtype, self.grad = length, dtype, grad
        self.random = torch.Generator().manual_seed(seed)
        self.drawn = []

    def __call__(self, *shape):
        drawn = torch.randn(*shape, generator=self.random, dtype=torch.float64).to(self.dtype)
        self.drawn.append(drawn.requires_grad_(self.grad))
        return drawn

    def query(self, *width):
        return self(self.batch, self.heads, self.length, *(width or (6,)))

    def key(self, *width):
        return self(self.batch, self.kv_heads, self.length, *(width or (6,)))


def relative(draw):
    place = torch.arange(draw.length).expand(draw.batch, draw.kv_heads, -1)
    return Relative(draw.key(8), place, draw(1, draw.heads, 7, 8))


FORMS: dict[str, Callable[[Draws], Values]] = {
    "static": lambda draw: Static(draw.key(8)),
    "query-gate": lambda draw: QueryGated(draw.query(8), draw.key(8)),
    "expert-gate": lambda draw: ExpertGated(draw.key(8), draw.query(3)),
    "separable": lambda draw: Separable(draw.query(8), draw.key(8)),
    "relative": relative,
    "pairwise": lambda draw: Pairwise(draw.query(8), draw.key(8)),
    "interacting": lambda draw: Interacting(draw.query(8), draw.key(8), draw.key(8)),
    "pair-gate": lambda draw: PairGated(draw.query(8), draw.key(8), draw.key(8)),
    "experts": lambda draw: Experts(draw.query(3, 4), draw.key(3, 4), draw.key(3, 8)),
}


def right_padded(draw):
    segments = torch.ones(draw.batch, draw.length, dtype=torch.long)
    segments[-1, draw.length - draw.length // 3 :] = 0
    return segments


def left_padded(draw):
    return right_padded(draw).flip(1)


def packed(draw):
    segments = torch.ones(draw.batch, draw.length, dtype=torch.long)
    segments[:, draw.length // 3 :] = 2
    segments[0, draw.length // 2 :] = 3
    return segments


def rule(**settings):
    return Rule(scale=SCALE, **settings)


def decay(draw, of, columns=0):
    return Decay(tuple(-0.2 / 3**head for head in range(draw.heads)), of, columns)


def terms(draw):
    return {name: draw.query(4) for name in ("query_terms", "key_terms")}


def blocks(draw, **terms):
    number = (4 * torch.arange(draw.length) // draw.length).expand(draw.batch, -1)
    return TextBlocks(number, draw.query(4), **terms)


def own_keys(draw):
    return {"keys": draw(draw.batch, draw.heads, draw.length)}


def token_maps(draw):
    size = (draw.batch, draw.length, 2, draw.heads)
    read, write, gate = draw(*size), draw(*size), draw(draw.batch, draw.length, draw.heads)
    return TokenMaps(read, write, gate)


def head_maps(draw, *, shared=True, dynamic=True):
    return HeadMaps(
        draw(draw.heads, draw.heads) if shared else None,
        *((token_maps(draw), token_maps(draw)) if dynamic else ()),
    )


RULES: dict[str, Callable[[Draws], Rule]] = {
    "causal": lambda draw: rule(),
    "bidirectional": lambda draw: rule(causal=False),
    "window": lambda draw: rule(window=5),
    "window-both-ways": lambda draw: rule(window=5, causal=False),
    "right-padded": lambda draw: rule(segments=right_padded(draw)),
    "left-padded": lambda draw: rule(segments=left_padded(draw), causal=False),
    "packed": lambda draw: rule(segments=packed(draw), window=9),
    "softcap": lambda draw: rule(softcap=2.0),
    "bias": lambda draw: rule(bias=draw(1, draw.heads, draw.length, draw.length)),
    "bias-of-keys": lambda draw: rule(bias=draw(draw.batch, 1, 1, draw.length)),
    "sink": lambda draw: rule(sink=draw(draw.heads)),
    "sink-and-number": lambda draw: rule(sink=draw(draw.heads), bias=0.3),
    "sink-padded": lambda draw: rule(sink=draw(draw.heads), segments=left_padded(draw)),
    "taylor": lambda draw: rule(similarity="taylor"),
    "taylor-sink-padded": lambda draw: rule(
        similarity="taylor", sink=draw(draw.heads), segments=left_padded(draw), bias=0.3
    ),
    "linear": lambda draw: rule(similarity="linear"),
    "linear-sink-packed": lambda draw: rule(
        similarity="linear", sink=draw(draw.heads), segments=packed(draw), window=9
    ),
    "decay": lambda draw: rule(decay=decay(draw, "weights")),
    "decay-grid-sink-padded": lambda draw: rule(
        decay=decay(draw, "weights", 5), sink=draw(draw.heads), segments=left_padded(draw)
    ),
    "decay-sigmoid": lambda draw: rule(normaliser="sigmoid", decay=decay(draw, "weights")),
    "decay-of-scores": lambda draw: rule(decay=decay(draw, "scores"), causal=False),
    "distances": lambda draw: rule(**terms(draw)),
    "distances-sink-packed": lambda draw: rule(
        **terms(draw), sink=draw(draw.heads), segments=packed(draw), window=9
    ),
    "blocks": lambda draw: rule(
        text_blocks=blocks(draw), softcap=2.0, causal=False, segments=right_padded(draw)
    ),
    "blocks-keys": lambda draw: rule(
        text_blocks=blocks(draw, **own_keys(draw)),
        sink=draw(draw.heads),
        segments=packed(draw),
        bias=draw(draw.batch, 1, 1, draw.length),
    ),
    "composed": lambda draw: rule(
        composition=Composition(head_maps(draw), head_maps(draw, shared=False))
    ),
    "composed-scores-packed": lambda draw: rule(
        composition=Composition(head_maps(draw)), segments=packed(draw), window=9
    ),
    "composed-weights-sink-padded": lambda draw: rule(
        composition=Composition(after=head_maps(draw, dynamic=False)),
        sink=draw(draw.heads),
        segments=left_padded(draw),
        bias=draw(draw.batch, 1, 1, draw.length),
    ),
    "relu": lambda draw: rule(normaliser="relu"),
    "relu-packed": lambda draw: rule(normaliser="relu", segments=packed(draw), bias=0.2),
    "relu-decay": lambda draw: rule(
        normaliser="relu", decay=decay(draw, "weights"), segments=right_padded(draw)
    ),
    "sigmoid": lambda draw: rule(normaliser="sigmoid", bias=-1.5),
    "sigmoid-packed": lambda draw: rule(normaliser="sigmoid", segments=packed(draw)),
}

_OTHER = ("decay", "taylor", "linear", "relu", "distances", "blocks", "composed")
FUSED_RULES = {name: made for name, made in RULES.items() if not name.startswith(_OTHER)}
"""Those that the fused kernels take."""


def attention(draw, form, weights):
    """Return query, key, values and weights; everything drawn is in `draw.drawn`."""
    query, key, values, made = draw.query(), draw.key(), FORMS[form](draw), RULES[weights](draw)
    if made.similarity == "linear":
        with torch.no_grad():
            query.exp_(), key.exp_()
    return query, key, values, made


def strong_sink(draw, width, strength):
    """Return queries and keys whose scores on key 0 are `strength` above random ones of others."""
    query, key = draw.query(width + 1), draw.key(width + 1)
    query[..., 0], key[..., 0] = 1.0, 0.0
    key[:, :, 0] = 0.0
    key[:, :, 0, 0] = strength / SCALE
    return query, key


PAIR_FORMS = ("relative", "pairwise", "interacting", "pair-gate", "experts")
TAKEN = [
    (form, weights)
    for form in FORMS
    for weights in RULES
    if form not in PAIR_FORMS or not weights.startswith("composed")
]
"""Heads that compose their weights mix values of keys alone."""
