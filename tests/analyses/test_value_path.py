import json

import pytest
import torch
from dva_lens.analyses import value_path
from small_text import small_corpus

from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset
from dva_lens.models.size import Size


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkpoint whose first layer has no values, so that one share is dead, and a text."""
    folder = tmp_path_factory.mktemp("value_path")
    corpus = small_corpus(documents=3, words=60)
    (folder / "text.txt").write_text("\n<|endoftext|>\n".join(d.text for d in corpus.documents))
    tokenizer = train_tokenizer(corpus, 270)
    size = Size(layers=3, width=16, heads=2, vocabulary=tokenizer.get_vocab_size(), context=16)
    model = build(preset("resformer-learnable", size), 7)
    with torch.no_grad():
        model.blocks[0].attn.value.weight.zero_()
        model.blocks[2].attn.mix.source.own_share.fill_(0.75)
    save_checkpoint(folder / "model", model, tokenizer, {"seed": 7})
    save_checkpoint(folder / "mute", model, None, {})
    return folder


def answer(place, *more):
    return value_path.main([str(place / "model"), "--text", str(place / "text.txt"), *more])


def test_both_tables_are_data(place, capsys):
    assert answer(place, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [list(each["shares"]) for each in found["layers"]] == [["own"], *[["own", "first"]] * 2]
    assert found["layers"][1]["shares"] == {"own": [1.0, 1.0], "first": [0.0, 0.0]}
    weights = {each["name"]: each for each in found["weights"]}
    source = "blocks.2.attn.mix.source."
    assert not weights[source + "first_share"]["alive"]
    assert weights[source + "own_share"]["alive"]
    assert weights[source + "own_share"]["moved"] == pytest.approx(0.25)


def test_tables_mark_what_is_dead(place, capsys):
    assert answer(place, "--length", "8") == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out if line.endswith("DEAD")] == [
        f"blocks.{layer}.attn.mix.source.first_share" for layer in (1, 2)
    ]


def test_what_cannot_be_read_is_one_sentence(place, capsys):
    assert value_path.main([str(place / "nowhere")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert value_path.main([str(place / "mute")]) == 1
    assert "holds no tokenizer" in capsys.readouterr().err
    assert answer(place, "--length", "0") == 1
    assert "length must be at least 1, got 0" in capsys.readouterr().err
    assert answer(place, "--length", "999") == 1
    assert "has 999 tokens" in capsys.readouterr().err
