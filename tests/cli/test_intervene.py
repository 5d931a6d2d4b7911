import json

import numpy as np
import pytest
from small_text import small_corpus

import dva_lens as lens
from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.diagnostics.interventions.values import RemoveSink
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import build


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a checkpoint and a folder of texts."""
    folder = tmp_path_factory.mktemp("changed")
    corpus = small_corpus(documents=4)
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary": 260, "context": 32}
    model = build(ModelConfig(**sizes), seed=0)
    tokenizer = train_tokenizer(corpus, 260)
    save_checkpoint(folder / "own", model, tokenizer, {"recipe": {"steps": 1}})
    (folder / "notes").mkdir()
    for document in corpus.documents:
        (folder / "notes" / f"{document.name}.txt").write_text(document.text[:400])
    return folder


def test_what_is_said_is_what_python_returns(call, place, tmp_path):
    words = ("--layer", 1, "--head", 0, "--text", place / "notes", "--length", 16)
    out = tmp_path / "found.json"
    result = call("intervene", place / "own", "remove-sink", *words, "--draws", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    said = json.loads(out.read_text())
    texts = {path.stem: path.read_text() for path in sorted((place / "notes").iterdir())}
    found = lens.intervene(
        lens.load(place / "own"),
        list(texts.values()),
        RemoveSink(layer=1, head=0),
        length=16,
        documents=list(texts),
        draws=2,
    )
    for one in ("intervention", "control", "difference"):
        effect = said["effects"]["loss"][one]["mean"]
        assert effect == pytest.approx(float(found["effect"].sel(changed=one, quantity="loss")))
        assert f"  {one:12}  " in result.stdout
    assert np.isclose(said["mass"]["removed"], said["mass"]["removed_by_control"])
    assert "the same mass taken from other keys" in result.stdout


def test_json_is_all_that_is_printed(call, place, tmp_path):
    words = ("--layer", 1, "--text", place / "notes", "--length", 16, "--draws", 1)
    out = tmp_path / "found.json"
    result = call("intervene", place / "own", "drop-layer", *words, "--json", "--out", out)
    found = json.loads(result.stdout)
    assert found == json.loads(out.read_text())
    assert (found["format"], found["version"]) == ("dva-lens intervention", 1)
    assert found["intervention"] == {"intervention": "drop-layer", "layer": 1}
    assert found["mass"] is None
    first = found["sequences"][0]
    changes = first["changes"]["loss"]["intervention"]
    assert len(first["tokens"]) == len(first["loss"]) == len(changes) == 16
    assert [first["loss"][-1], changes[-1]] == [None, None]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("remove-sinks", "--layer", 0), "did you mean 'remove-sink'"),
        (("drop-head", "--layer", 0), "head"),
        (("drop-layer", "--layer", 0, "--head", 1), "head"),
        (("drop-layer", "--layer", 9), "layer must be below 2"),
        (("freeze-values", "--layer", 0), "nothing to freeze"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, place, words, said):
    assert said in refused("intervene", place / "own", *words, "--text", place / "notes")
