"""Queries and keys that were kept of a layer give the tiles that its model gives."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from small_models import random_tokens, sharp_preset

from dva_lens.kernels.rule import Rule
from dva_lens.measuring.closeup import heads_at_hand, pattern_tiles, tiles_of
from dva_lens.measuring.kept_layers import HeadsAtHand, file_of, is_plain, keep_heads, kept_head
from dva_lens.measuring.pair import pair, pair_of

TOKENS = random_tokens(1, 23)[0].numpy()


@pytest.fixture
def model():
    return sharp_preset("gqa")


def test_a_kept_head_gives_the_tiles_of_the_model(model, tmp_path):
    file = tmp_path / "layers" / "one.safetensors"
    heads_at_hand(model, TOKENS, layer=1, heads=[0], keep=file)
    at = {"queries": slice(5, 22), "keys": slice(0, 20), "resolution": (7, 5)}
    for head in range(model.cfg.n_heads):
        kept = kept_head(file, head)
        due = pattern_tiles(model, TOKENS, layer=1, heads=[head], **at)
        assert tiles_of(kept, **at).identical(due)


@pytest.mark.parametrize("preset", ["transformer", "gqa", "cla", "resformer-identity"])
def test_a_kept_head_gives_the_pairs_of_the_model(preset, tmp_path):
    model, file = sharp_preset(preset), tmp_path / "one.safetensors"
    heads_at_hand(model, TOKENS, layer=1, keep=file)
    for head in range(model.cfg.n_heads):
        kept = kept_head(file, head)
        due = pair(model, TOKENS, layer=1, head=head, query=19, key=4)
        assert pair_of(kept, query=19, key=4) == due
        assert due.share is not None


def test_values_that_differ_by_query_are_not_kept(tmp_path):
    file = tmp_path / "one.safetensors"
    heads_at_hand(sharp_preset("dva"), TOKENS, layer=1, keep=file)
    kept = kept_head(file, 0)
    assert kept.values is None
    with pytest.raises(ValueError, match="values of layer 1"):
        pair_of(kept, query=19, key=4)


def test_a_head_that_the_layer_lacks_is_refused_as_the_model_refuses_it(model, tmp_path):
    file = tmp_path / "one.safetensors"
    heads_at_hand(model, TOKENS, layer=1, keep=file)
    said = []
    for look in (
        lambda: kept_head(file, 9),
        lambda: heads_at_hand(model, TOKENS, layer=1, heads=[9]),
    ):
        with pytest.raises(ValueError, match="heads must be some of 0 to") as error:
            look()
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"mask": lambda _, query, key: key <= query},
        {"segments": torch.ones(1, 4, dtype=torch.long)},
        {"bias": torch.zeros(1, 1, 4, 4)},
        {"bias": 0.5},
        {"sink": torch.zeros(2)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_rule_that_numbers_do_not_say_is_not_kept(changed, tmp_path):
    plain = Rule(scale=0.5, window=3, softcap=30.0)
    assert is_plain(plain)
    rule = replace(plain, **changed)
    assert not is_plain(rule)
    entries = torch.zeros(1, 2, 4, 3)
    found = HeadsAtHand("m", 0, range(2), ["a"] * 4, entries, entries, rule, None, None, 2)
    assert not keep_heads(tmp_path / "one.safetensors", found)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_counts_as_nothing(model, tmp_path):
    file = tmp_path / "one.safetensors"
    assert kept_head(file, 0) is None
    heads_at_hand(model, TOKENS, layer=0, keep=file)
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\xff" * len(whole)):
        file.write_bytes(damaged)
        assert kept_head(file, 0) is None


@pytest.mark.parametrize("about", [{}, {"about": "{}"}, {"about": '{"name": "m", "rule": {}}'}])
def test_a_file_of_another_making_counts_as_nothing(about, tmp_path):
    file = tmp_path / "one.safetensors"
    save_file({"query": torch.zeros(2, 4, 3)}, file, about)
    assert kept_head(file, 0) is None


def test_a_layer_that_cannot_be_kept_is_looked_at_all_the_same(model, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.warns(UserWarning, match="Layer 1 was not kept for another look"):
        found = heads_at_hand(model, TOKENS, layer=1, keep=tmp_path / "taken" / "x.safetensors")
    assert found.query.shape[2] == len(TOKENS)


def test_a_file_is_named_after_all_that_its_numbers_depend_on(tmp_path):
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    given = {"folder": tmp_path, "model": weights.parent, "text": "1f", "layer": 1}
    first = file_of(**given)
    assert first == file_of(**given)
    names = {first, *(file_of(**given | each) for each in ({"text": "2f"}, {"layer": 2}))}
    names.add(file_of(**given | {"model": tmp_path}))
    weights.write_bytes(b"other")
    names.add(file_of(**given))
    assert len(names) == 5
