"""What a layer lacks is said in one sentence: the part, the model, and who has it."""

import numpy as np
import pytest
from families import family
from own_models import tiny, tokens_of

import dva_lens as lens
from dva_lens.diagnostics.interventions import parts
from dva_lens.diagnostics.interventions.passes import ChangedModel
from dva_lens.diagnostics.interventions.value_paths import value_paths
from dva_lens.diagnostics.interventions.values import (
    DropValueResidual,
    FreezeValues,
    RemoveSink,
    SwapFirstValues,
    SwapValues,
    Temperature,
)
from dva_lens.diagnostics.running import watching
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.models.decoder import build
from dva_lens.models.presets import PRESETS, preset

ROWS = tokens_of((8, 8))


def seen(model):
    """Return the parts that a pass shows."""
    found = prepare_tokens(model, ROWS[:1] % 16, InputOptions(None, None, None, None))
    with watching(found) as run, value_paths(model) as paths:
        return ChangedModel(run, paths).parts()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_said_to_have_what_a_pass_shows(name):
    config = preset(name, parts.SIZE)
    layers = seen(build(config, seed=0)).layers.values()
    assert parts.takes_first(config) == any("first" in one.sources for one in layers)
    assert parts.depends_on_query(config) == any(one.by_query for one in layers)
    assert parts.made_of_query(config) == any(one.query_operands for one in layers)
    assert parts.competes(config) == all(one.competes for one in layers)


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        ("resformer-sparse", DropValueResidual(layer=1), r"Layer 1 .* layers that do: 2\."),
        ("svformer", DropValueResidual(), r"no values but those of the first .* resformer-"),
        ("dva", DropValueResidual(), r"No layer of Decoder takes values of the first one"),
        ("dva-value-mlp", FreezeValues(layer=0), r"nothing to freeze; presets .* dva"),
        ("dva-value-mlp", SwapValues(layer=0, part="query"), r"nothing to swap; presets .* dva"),
        ("decay", RemoveSink(layer=0, head=0), r"distance took from them.* by='value'\."),
        ("relu", RemoveSink(layer=0, head=0), r"how many keys a query sees.* by='value'\."),
        ("combiner", RemoveSink(layer=0, head=0), r"others of its block get.* by='value'\."),
        (
            "dcformer",
            RemoveSink(layer=0, head=0),
            r"compose their weights.* drop a head instead\.",
        ),
        ("sigmoid", Temperature(layer=0, head=0, temperature=2.0), r"presets that have them"),
    ],
)
def test_a_model_without_it_is_one_sentence(name, what, said):
    with pytest.raises(TypeError, match=said) as refusal:
        lens.intervene(tiny(name), ROWS, what)
    assert str(refusal.value).count(". ") == 0


@pytest.mark.parametrize("name", ["landmark", "combiner"])
def test_shared_blocks_are_seen_on_texts_that_fill_none(name):
    """A first batch of short texts must not open the way to a mask over long ones."""
    texts = [*tokens_of([3] * 9), *tokens_of([23] * 2)]
    with pytest.raises(TypeError, match="what the others of its block get"):
        lens.intervene(tiny(name, context=32), texts, RemoveSink(layer=0, head=0))


def test_models_of_transformers_have_no_value_residual():
    model = family("llama")
    ids = np.random.default_rng(0).integers(3, 61, (2, 12))
    with pytest.raises(TypeError, match="LlamaForCausalLM takes values of the first"):
        lens.intervene(model, ids, SwapFirstValues())
    found = lens.intervene(model, ids, SwapValues(layer=1), draws=1, statistics=())
    assert float(found["divergence_change"].sel(changed="intervention").max()) > 0
