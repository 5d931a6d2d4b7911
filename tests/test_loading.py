import json
import shutil

import huggingface_hub.errors as hub
import numpy as np
import pytest
import torch
import transformers as tf
from families import family
from safetensors.torch import load_file, save_file
from tokens import word_tokenizer, wrapped

import dva_lens as lens
from dva_lens import loading


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "llama"
    family("llama").save_pretrained(folder)
    wrapped(word_tokenizer(start=True)).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "llama")


@pytest.fixture
def offline(monkeypatch):
    def refuse(name, local_files_only=False, **_):
        if not local_files_only:
            offline.asked.append(name)
        raise hub.LocalEntryNotFoundError("no network")

    offline.asked = []
    monkeypatch.setattr(loading, "snapshot_download", refuse)
    return offline


def test_a_folder_of_transformers_is_loaded_with_its_tokenizer(saved):
    model = lens.load(str(saved))
    assert isinstance(model, tf.LlamaForCausalLM)
    assert not model.training
    data = lens.measure(model, "a b c d", statistics="loss")
    assert data.attrs["bos"] == "each window begins with <s>"
    expected = lens.measure(family("llama"), [1, 4, 5, 6, 7], statistics="loss")
    np.testing.assert_allclose(data["loss"], expected["loss"], rtol=1e-6)


@pytest.mark.parametrize("name", ["bert", "vit", "gpt2"])
def test_the_saved_architecture_is_what_is_loaded(name, tmp_path):
    model = family(name)
    model.save_pretrained(tmp_path)
    found = lens.load(tmp_path)
    assert type(found) is type(model)
    assert found.tokenizer is None
    assert torch.equal(next(found.parameters()), next(model.parameters()))


def test_a_name_is_taken_from_the_cache_without_a_network(saved, monkeypatch):
    asked = []

    def cached(name, local_files_only=False, **_):
        asked.append((name, local_files_only))
        return str(saved)

    monkeypatch.setattr(loading, "snapshot_download", cached)
    assert isinstance(lens.load("someone/llama"), tf.LlamaForCausalLM)
    assert asked == [("someone/llama", True)]


def test_a_loaded_model_is_taken_as_it_is():
    model = family("llama").train()
    assert lens.load(model) is model
    assert not model.training


def test_shards_are_loaded_together(folder):
    family("llama").save_pretrained(folder, max_shard_size="10KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert isinstance(lens.load(folder), tf.LlamaForCausalLM)


def test_a_name_without_network_is_said_to_be_that(offline):
    with pytest.raises(ConnectionError, match=r"'gpt2-tiny' is not a folder.*cannot be reached"):
        lens.load("gpt2-tiny")
    assert offline.asked == ["gpt2-tiny"]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (hub.RepositoryNotFoundError, FileNotFoundError, "no public Hugging Face model called"),
        (hub.GatedRepoError, PermissionError, "is gated; ask for access"),
        (hub.OfflineModeIsEnabled, ConnectionError, "cannot be reached"),
        (hub.IncompleteSnapshotError, ConnectionError, "only partly in the local cache"),
    ],
)
def test_what_the_hub_says_becomes_one_sentence(error, kind, message, monkeypatch):
    def answer(name, local_files_only=False, **_):
        if local_files_only:
            raise hub.LocalEntryNotFoundError("not cached")
        raise error.__new__(error)

    monkeypatch.setattr(loading, "snapshot_download", answer)
    with pytest.raises(kind, match=message):
        lens.load("someone/something")


def test_half_downloaded_shards_are_named(folder):
    family("llama").save_pretrained(folder, max_shard_size="10KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    gone = sorted(folder.glob("model-*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(FileNotFoundError, match=f"1 of .* are missing, such as {gone.name}"):
        lens.load(folder)


def test_a_truncated_file_is_named(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors' is damaged or only half"):
        lens.load(folder)


def test_pickles_are_never_opened(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"not opened")
    with pytest.raises(ValueError, match=r"only as pickles \(pytorch_model\.bin\)"):
        lens.load(folder)


def _spoil(folder, change):
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def test_a_missing_weight_is_named(folder):
    _spoil(folder, lambda weights: weights.pop("model.layers.1.self_attn.q_proj.weight"))
    with pytest.raises(
        ValueError, match=r"\(model\.safetensors\) lacks 1 weights.*layers\.1\.self_attn\.q_proj"
    ):
        lens.load(folder)


def test_a_weight_of_the_wrong_shape_is_refused_in_one_sentence(folder, capfd):
    _spoil(folder, lambda weights: weights.update({"model.norm.weight": torch.ones(5)}))
    with pytest.raises(ValueError, match=r"do not fit LlamaForCausalLM: by its config\.json"):
        lens.load(folder)
    assert "MISMATCH" not in capfd.readouterr().err


def test_a_weight_that_is_not_a_number_is_named(folder):
    def spoil(weights):
        weights["model.norm.weight"][3] = torch.nan

    _spoil(folder, spoil)
    with pytest.raises(ValueError, match=r"'model\.norm\.weight' of .* holds NaN"):
        lens.load(folder)


def _configure(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_an_unknown_type_is_named(folder):
    _configure(folder, model_type="brandnew")
    with pytest.raises(ValueError, match="type 'brandnew', which this version"):
        lens.load(folder)


def test_code_in_a_checkpoint_is_not_run(folder):
    _configure(folder, model_type="brandnew", auto_map={"AutoConfig": "code.Config"})
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ValueError, match="code is not run"):
        lens.load(folder)


def test_an_architecture_that_does_not_exist_is_named(folder):
    _configure(folder, architectures=["LlamaForNothing"])
    with pytest.raises(ValueError, match="names 'LlamaForNothing'"):
        lens.load(folder)


def test_a_folder_without_weights_or_configuration_says_so(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="holds no weights"):
        lens.load(folder)
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        lens.load(tmp_path)


def test_a_broken_configuration_or_tokenizer_says_so(folder):
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=r"llama' holds a tokenizer .* cannot be read"):
        lens.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        lens.load(folder)


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("./nothing/here", FileNotFoundError, "no folder './nothing/here'"),
        ("a name with spaces", ValueError, "neither a folder nor a possible name"),
        (7, TypeError, "A int is not a model"),
    ],
)
def test_what_is_no_model_is_refused(what, error, message):
    with pytest.raises(error, match=message):
        lens.load(what)


def test_a_file_is_not_a_folder(saved):
    with pytest.raises(ValueError, match="pass the folder"):
        lens.load(saved / "config.json")


def test_text_without_a_tokenizer_is_refused(tmp_path):
    family("llama").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="came without a tokenizer"):
        lens.measure(lens.load(tmp_path), "a b c")


@pytest.mark.parametrize("outside", ["../other/model.safetensors", "/tmp/model.safetensors"])
def test_an_index_names_no_weights_outside_its_folder(folder, outside):
    shutil.copytree(folder, folder.parent / "other")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": outside}}))
    with pytest.raises(ValueError, match=r"index\.json' names '.*', which is not in the folder"):
        lens.load(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": 1}'])
def test_an_index_that_is_none_is_named(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match=r"index\.json' must be JSON with a 'weight_map'"):
        lens.load(folder)
