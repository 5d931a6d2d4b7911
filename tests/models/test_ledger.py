import pytest
import torch
from small_models import NAMES, SIZE, random_tokens, sharp, sharp_preset

from dva_lens.mechanisms.value_source.first_layer_mix import FirstLayerMix
from dva_lens.models.decoder import build
from dva_lens.models.ledger import audit, value_ledger
from dva_lens.models.presets import preset

TOKENS = random_tokens()


@pytest.mark.parametrize("name", NAMES)
def test_shares_total_one_and_nothing_is_left_behind(name):
    model = sharp_preset(name)
    before = [each.attend for each in model.attentions.values()]
    for account in value_ledger(model, TOKENS):
        total = sum(account.shares.values())
        torch.testing.assert_close(total, torch.ones_like(total))
        if account.streams:
            assert sum(account.streams.values()) == pytest.approx(1.0)
    assert [each.attend for each in model.attentions.values()] == before
    assert not any(each._forward_hooks for each in model.modules())


def test_each_source_has_its_name():
    def sources(name):
        return [tuple(each.shares) for each in value_ledger(sharp_preset(name), TOKENS)]

    assert sources("transformer") == [("own",)] * 3
    assert sources("resformer-sparse") == [("own",), ("own",), ("own", "first")]
    assert sources("svformer") == [("own",), ("first",), ("first",)]
    assert sources("cla") == [("own",), ("donor",), ("own",)]
    assert sources("token-table") == [("own",), ("own",), ("table",)]


def test_donors_and_writers_are_named():
    accounts = value_ledger(sharp_preset("cla"), TOKENS)
    assert [each.donor for each in accounts] == [None, 0, None]
    assert [each.writes for each in accounts] == [True, False, True]
    assert [each.writes for each in value_ledger(sharp_preset("svformer"), TOKENS)] == [
        True,
        False,
        False,
    ]


def test_a_share_is_a_projection_and_not_the_weight_of_the_mix():
    model = sharp(SIZE.config(value_source=FirstLayerMix(first=2.0, own=1.0)))
    _, cache = model.run_with_cache(TOKENS)
    first = 2.0 * cache["v", 0]
    used = cache["blocks.1.attn.mix.hook_v"]
    expected = ((first * used).sum(-1) / used.square().sum(-1)).mean((0, 1))
    torch.testing.assert_close(value_ledger(model, TOKENS)[1].shares["first"], expected)


def test_the_skip_of_neutreno_is_an_account_of_its_own():
    accounts = value_ledger(sharp_preset("neutreno"), TOKENS)
    assert not accounts[0].skip.any()
    assert accounts[1].skip.all()
    assert value_ledger(sharp_preset("transformer"), TOKENS)[1].skip is None


def test_streams_of_an_identity_average_are_the_last_one():
    model = build(preset("denseformer", SIZE)).double()
    shares = value_ledger(model, TOKENS)[2].streams
    assert shares == pytest.approx({3: 1.0, 2: 0.0, 1: 0.0, 0: 0.0})


def test_an_audit_says_what_is_alive():
    model = sharp_preset("resformer-learnable")
    start = build(model.config).double().state_dict()
    found = {each.name: each for each in audit(model, TOKENS, start)}
    assert list(found) == [
        f"blocks.{layer}.attn.mix.source.{share}"
        for layer in (1, 2)
        for share in ("first_share", "own_share")
    ]
    for each in found.values():
        assert each.gradient > 0
        assert each.moved > 0
        assert each.without != 0


def test_a_weight_on_nothing_is_dead_and_its_neighbour_alive():
    model = sharp_preset("resformer-learnable")
    with torch.no_grad():
        model.blocks[0].attn.value.weight.zero_()
    found = {each.name: each for each in audit(model, TOKENS, model.state_dict())}
    for layer in (1, 2):
        dead, alive = (
            found[f"blocks.{layer}.attn.mix.source.{each}_share"] for each in ("first", "own")
        )
        assert (dead.gradient, dead.without, dead.moved) == (0, 0, 0)
        assert dead.norm > 0
        assert (dead.alive, alive.alive) == (False, True)
        assert alive.gradient > 0
        assert alive.without != 0


def test_what_a_weight_is_worth_is_the_loss_without_it():
    model = sharp_preset("resformer-learnable")
    found = audit(model, TOKENS)[-1]
    with torch.no_grad():
        before = model(TOKENS, return_type="loss").item()
        model.blocks[2].attn.mix.source.own_share.zero_()
        after = model(TOKENS, return_type="loss").item()
    assert found.name == "blocks.2.attn.mix.source.own_share"
    assert found.without == pytest.approx(after - before)


def test_an_audit_changes_nothing_and_sees_fixed_and_dead_weights():
    model = sharp_preset("resformer-identity")
    before = model(TOKENS)
    fixed = audit(model, TOKENS)
    assert [each.gradient for each in fixed] == [None] * 4
    assert all(each.without != 0 for each in fixed)
    assert torch.equal(model(TOKENS), before)
    silent = build(preset("dva-query-gate", SIZE))
    gates = audit(silent, TOKENS, silent.state_dict())
    assert all(each.norm == each.moved == each.without == 0 for each in gates)
    assert all(each.gradient > 0 and each.alive for each in gates)
