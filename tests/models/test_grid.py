import pytest
import torch
from small_models import SIZE, random_tokens

from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.mechanisms.value_form.static import StaticValue
from dva_lens.models.costs import parameters
from dva_lens.models.decoder import build
from dva_lens.models.grid import cell, cells, grid
from dva_lens.models.presets import PRESETS, named, preset

NAMES = cells(SIZE)


def test_the_grid_crosses_everything_and_holds_the_width_of_queries():
    configs = dict(grid(SIZE))
    assert tuple(configs) == NAMES
    assert len(NAMES) == 2 * 2 * len(VALUE_FORMS) * 2
    assert {each.qk_dim for each in configs.values()} == {16}
    assert {each.heads for each in configs.values()} == {1, 2}
    assert len({str(each.to_dict()) for each in configs.values()}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_of_the_grid_is_what_its_name_says(name):
    config = preset(name, SIZE)
    assert name == "-".join(
        (
            f"{config.heads}h",
            "noff" if config.to_dict()["feedforward"]["kind"] == "none" else "ff",
            config.to_dict()["value_form"]["kind"],
            "own" if config.to_dict()["value_source"]["kind"] == "own" else "residual",
        )
    )
    model = build(config)
    assert parameters(config) == sum(each.numel() for each in model.parameters())
    loss = model(random_tokens(), return_type="loss")
    loss.backward()
    assert loss.isfinite()
    assert model.blocks[0].attn.value.weight.grad.any()


def test_the_simplest_models_are_presets():
    assert preset("2h-ff-static-own", SIZE) == preset("transformer", SIZE)
    assert preset("2h-ff-static-residual", SIZE) == preset("resformer-identity", SIZE)
    for form in ("static", "pairwise", "experts"):
        name = "dva" if form == "pairwise" else f"dva-{form}"
        assert preset(f"1h-noff-{form}-own", SIZE) == preset(name, SIZE, qk_dim=16)


def test_a_form_put_into_the_table_is_in_the_grid(monkeypatch):
    before = len(cells(SIZE))
    monkeypatch.setitem(VALUE_FORMS, "again", StaticValue)
    assert preset("2h-ff-again-own", SIZE) == preset("transformer", SIZE)
    assert len(dict(grid(SIZE))) == before + 2 * 2 * 2


def test_changes_apply_to_the_grid_as_well():
    assert preset("1h-noff-static-own", SIZE, rule="sigmoid").qk_dim == 16


def test_names_patterns_and_the_word_grid_are_presets():
    assert named(["grid"], SIZE) == NAMES
    assert named(["*"], SIZE) == (*PRESETS, *NAMES)
    assert named(["1h-noff-static-own", "dva"], SIZE) == ("1h-noff-static-own", "dva")
    assert named(["?h-noff-static-own"], SIZE) == ("1h-noff-static-own", "2h-noff-static-own")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("4h-ff-static-own", {}, "with heads=2 a name is 1h or 2h"),
        ("1h-ff-sttic-own", {}, "did you mean .1h-ff-static-own"),
        ("1h-ff-static-own", {"width": 33}, "multiple of heads, .* width=33, heads=2"),
        ("1h-ff-static-own", {"width": 30}, "even qk_dim, got 15"),
        ("1h-ff-static-residual", {"layers": 1}, "needs at least 2 layers, got 1"),
    ],
)
def test_impossible_models_of_the_grid_are_refused(name, changed, said):
    with pytest.raises(ValueError, match=said):
        cell(name, SIZE.changed(**changed))


def test_a_grid_of_one_head_is_none():
    with pytest.raises(ValueError, match="one head against several, got heads=1"):
        dict(grid(SIZE.changed(heads=1)))


def test_models_of_one_form_differ_by_the_residual_alone():
    own, mixed = (build(cell(f"1h-noff-pairwise-{each}", SIZE)) for each in ("own", "residual"))
    weights = mixed.state_dict()
    for name, each in own.state_dict().items():
        assert torch.equal(each, weights[name])
