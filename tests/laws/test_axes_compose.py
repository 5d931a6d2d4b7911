"""Mechanisms of two axes at a time: one model, with the costs of both, or a refusal."""

from itertools import combinations

import pytest
import torch
from small_models import random_tokens, sharp

from dva_lens.mechanisms.mixer import MIXERS
from dva_lens.mechanisms.scores import SCORES
from dva_lens.mechanisms.tables import AXES
from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.models.costs import parameters
from dva_lens.models.decoder import build
from dva_lens.models.ledger import value_ledger
from dva_lens.models.size import Size

TINY = Size(layers=3, width=16, heads=2, vocabulary=23, context=16)
TOKENS = random_tokens(2, 9, vocabulary=23)
BASE = TINY.config()
CHOICES = [
    (axis, kind)
    for axis, table in AXES.items()
    for kind, variant in table.items()
    if type(getattr(BASE, axis)) is not variant
] + [("kv_heads", 1), ("share_kv_every", 2), ("share_pattern_every", 2), ("attended_width", 6)]
ABOUT_ATTENTION = {
    *("scores", "rule", "visibility", "composition", "value_source", "value_form", "output"),
    *("share_kv_every", "share_pattern_every", "attended_width"),
}
PAIRS = [(one, two) for one, two in combinations(CHOICES, 2) if one[0] != two[0]]
REFUSED = {(("value_form", form), ("output", "neutreno")) for form in ("experts", "switch-head")}
REFUSED |= {
    (("scores", scores), ("value_form", form))
    for scores, variant in SCORES.items()
    for form, made in VALUE_FORMS.items()
    if made.reads_query and variant.reads in ("positions", "nothing")
}
REFUSED |= {
    (other, ("share_pattern_every", 2))
    for other in (
        *(("rule", "learned-sink"), ("share_kv_every", 2)),
        *(("scores", "disentangled"), ("scores", "complex")),
    )
}
REFUSED |= {
    (("mixer", kind), other)
    for kind, mixer in MIXERS.items()
    for other in CHOICES
    if not mixer.attends and other[0] in ABOUT_ATTENTION
}
REFUSED |= {
    (("scores", "disentangled"), ("rule", rule))
    for rule in ("taylor", "linear", "landmark", "combiner")
}
REFUSED |= {
    (("rule", rule), ("visibility", seen))
    for rule in ("landmark", "combiner")
    for seen in ("window", "routed")
}
REFUSED |= {(("rule", "landmark"), ("share_pattern_every", 2))}
REFUSED |= {
    pair
    for composed in (("composition", "talking-heads"), ("composition", "dynamic"))
    for pair in (
        *((("rule", rule), composed) for rule in ("taylor", "linear", "landmark", "combiner")),
        *(
            (composed, ("value_form", form))
            for form, made in VALUE_FORMS.items()
            if not made.of_key
        ),
        (composed, ("share_pattern_every", 2)),
    )
}


VALUE_PATH = (
    "value_source",
    "value_form",
    "output",
    "kv_heads",
    "share_kv_every",
    "attended_width",
)
ON_THE_PATH = [pair for pair in PAIRS if {axis for axis, _ in pair} <= set(VALUE_PATH)]


def made(pair):
    return BASE.changed(**dict(pair))


def test_what_is_chosen_about_attention_is_refused_where_no_layer_attends():
    for pair in REFUSED:
        with pytest.raises(ValueError, match=r"."):
            made(pair)


def test_costs_count_the_weights_of_any_two_choices():
    for pair in PAIRS:
        if pair not in REFUSED:
            built = sum(each.numel() for each in build(made(pair)).parameters())
            assert parameters(made(pair)) == built, pair


@pytest.mark.parametrize("pair", ON_THE_PATH, ids=lambda pair: f"{pair[0][1]}-{pair[1][1]}")
def test_any_two_value_paths_make_one_that_is_alive_and_causal(pair):
    if pair in REFUSED:
        with pytest.raises(ValueError, match="neutreno adds one value"):
            made(pair)
        return
    model = sharp(made(pair))
    model(TOKENS, return_type="loss").backward()
    assert all(each.grad is not None and each.grad.any() for each in model.parameters())
    with torch.no_grad():
        plain = model(TOKENS)
        watched, _ = model.run_with_cache(TOKENS, names_filter=lambda name: "pattern" in name)
        torch.testing.assert_close(plain, watched, rtol=0, atol=1e-10)
        torch.testing.assert_close(plain[:, :5], model(TOKENS[:, :5]), rtol=0, atol=1e-10)
    for account in value_ledger(model, TOKENS):
        total = sum(account.shares.values())
        torch.testing.assert_close(total, torch.ones_like(total))


def test_a_table_and_a_mix_count_every_value_that_a_key_offers():
    table, mix = (
        BASE.changed(value_source=source, value_form="experts")
        for source in ("token-table", "first-layer-mix")
    )
    assert table.value_source.parameters(table.shape, 2, lambda *_: 0) == 23 * 16 * 4
    assert mix.value_source.flops(mix.shape, 2, 1.0) == 3 * 16 * 4


def test_a_layer_that_takes_keys_and_values_has_no_weights_to_mix_them():
    config = BASE.changed(value_source="first-layer-mix-learnable", share_kv_every=2)
    names = [name for name, _ in build(config).named_parameters() if "source" in name]
    assert names == [f"blocks.2.attn.mix.source.{each}_share" for each in ("first", "own")]
