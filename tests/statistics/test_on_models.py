"""Statistics of models that really ran: what is known beforehand must be read off them."""

import numpy as np
import pytest
from families import family
from own_models import VOCABULARY, tiny, tokens_of

from dva_lens.measuring import measure
from dva_lens.models.decoder import build
from dva_lens.models.presets import Size, preset
from dva_lens.statistics.extended.accounts import MASS, OUTPUT
from dva_lens.statistics.table import EXTENDED

LENGTHS = (16, 11)
PANEL = (7.194, 7.204)
UNIFORM = 7.2025
TOLERANCE = 1024 * float(np.finfo(np.float32).eps)
PRESETS = ("transformer", "gqa", "sigmoid", "learned-sink", "dva", "dva-separable", "dva-experts")


def accounts(name):
    model, tokens = tiny(name), tokens_of(LENGTHS)
    rows = [row[:length] for row, length in zip(tokens, LENGTHS, strict=True)]
    return measure(model, rows, statistics=["mass_account", "output_account", "virtual_mass"])


@pytest.mark.parametrize("name", ["transformer", "gpt2-style", "resformer-identity"])
def test_a_model_at_its_start_reads_as_the_published_panel(name):
    size = Size(layers=3, width=256, heads=4, vocabulary=VOCABULARY, context=2048)
    model = build(preset(name, size), seed=0).eval()
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (1, 2048))
    found = measure(model, ids, statistics="importance_entropy")
    entropy = found["importance_entropy"].values
    assert entropy.shape == (3, 1)
    assert (entropy >= PANEL[0]).all()
    assert (entropy <= PANEL[1]).all()
    assert found["importance_entropy_reference"].item() == pytest.approx(UNIFORM, abs=5e-5)


def test_a_sharp_model_leaves_the_panel():
    found = measure(tiny("transformer", context=256, sharp=30.0), tokens_of((256,)))
    below = found["importance_entropy"] - found["importance_entropy_reference"]
    assert (below < -0.05).any()


@pytest.mark.parametrize("name", PRESETS)
def test_the_accounts_of_a_model_leave_nothing_out(name):
    found = accounts(name)
    mass, output = found["mass_account"], found["output_account"]
    assert tuple(mass["destination"].values) == MASS
    assert tuple(output["contributor"].values) == OUTPUT
    np.testing.assert_allclose(mass.sum("destination"), 1.0, atol=1e-5)
    np.testing.assert_allclose(output.sum("contributor"), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "gpt-oss"])
def test_the_accounts_of_a_model_of_transformers_leave_nothing_out(name):
    rows = np.random.default_rng(0).integers(3, 61, (2, 16))
    found = measure(family(name), rows, statistics=["mass_account", "output_account"])
    np.testing.assert_allclose(found["mass_account"].sum("destination"), 1.0, atol=1e-5)
    np.testing.assert_allclose(found["output_account"].sum("contributor"), 1.0, atol=1e-5)


def test_only_values_that_depend_on_the_query_have_an_account_of_its_own():
    own = {name: accounts(name)["output_account"].sel(contributor="own query") for name in PRESETS}
    for name in ("transformer", "gqa", "sigmoid", "learned-sink"):
        assert (own[name] == 0).all()
    for name in ("dva", "dva-separable"):
        assert (abs(own[name]) > 1e-3).any()


def test_the_virtual_account_is_what_rows_lack_of_one():
    found = accounts("learned-sink")
    rows, virtual = found["rows"], found["virtual_mass"]
    lacking = (virtual * rows).sum("span") / rows.sum("span")
    account = found["mass_account"].sel(destination="virtual")
    np.testing.assert_allclose(account, lacking.transpose(*account.dims), atol=1e-5)
    assert (account > 1e-3).any()
    assert (abs(accounts("transformer")["mass_account"].sel(destination="virtual")) < 1e-5).all()


@pytest.mark.parametrize("name", ["gqa", "learned-sink", "dva"])
def test_padding_and_the_batch_change_nothing_of_the_extended_set(name):
    model, tokens = tiny(name), tokens_of((16, 16, 9))
    rows = [row[:length] for row, length in zip(tokens, (16, 16, 9), strict=True)]
    joint = measure(model, rows, statistics=EXTENDED, batch=3)
    alone = [measure(model, [row], statistics=EXTENDED) for row in rows]
    for name in EXTENDED:
        for sequence, one in enumerate(alone):
            ours, theirs = joint[name].isel(sequence=sequence), one[name].isel(sequence=0)
            if "span" in ours.dims:
                ours = ours.isel(span=slice(theirs.sizes["span"]))
            np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gpt2", "gemma3", "gpt-oss"])
def test_a_bridge_reads_the_extended_set_as_the_model_inside_it(name):
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    inside = family(name)
    kind = type(inside).__name__
    bridge = build_bridge_from_module(family(name), kind, hf_config=inside.config)
    rows = np.random.default_rng(0).integers(3, 61, (2, 13))
    found = measure(bridge, rows, statistics=EXTENDED)
    expected = measure(inside, rows, statistics=EXTENDED)
    for name in EXTENDED:
        assert np.isfinite(found[name]).any()
        np.testing.assert_allclose(
            found[name], expected[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
        )
