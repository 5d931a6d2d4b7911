import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import NAMES, random_tokens, sharp_preset
from tokenizers import Tokenizer, models

from dva_lens.models.checkpoint import load_checkpoint, save_checkpoint


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_the_model_back(name, tmp_path):
    model, tokens = sharp_preset(name, dtype=torch.float32), random_tokens()
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    save_checkpoint(tmp_path / "mine", model, words, {"step": 3})
    found = load_checkpoint(tmp_path / "mine")
    assert found.model.config == model.config
    assert torch.equal(found.model(tokens), model(tokens))
    assert found.training == {"step": 3}
    assert found.tokenizer.to_str() == words.to_str() == found.model.tokenizer.to_str()
    assert not found.model.training


@pytest.fixture
def saved(tmp_path):
    return save_checkpoint(tmp_path / "saved", sharp_preset("dva", dtype=torch.float32))


def test_bfloat16_is_kept(tmp_path):
    model = sharp_preset("transformer", dtype=torch.bfloat16)
    found = load_checkpoint(save_checkpoint(tmp_path / "half", model)).model
    assert {each.dtype for each in found.parameters()} == {torch.bfloat16}


def test_saving_again_replaces_and_keeps_folders(saved):
    (saved / "steps").mkdir()
    (saved / "steps" / "note").write_text("kept")
    other = sharp_preset("dva-static", dtype=torch.float32)
    save_checkpoint(saved, other, None, {"again": True})
    assert load_checkpoint(saved).model.config == other.config
    assert (saved / "steps" / "note").read_text() == "kept"
    assert [each.name for each in saved.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", ["notes.txt", "config.json"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text('{"model_type": "llama"}')
    with pytest.raises(FileExistsError, match=f"something other than a checkpoint.*{name}"):
        save_checkpoint(tmp_path, sharp_preset("dva", dtype=torch.float32))
    assert (tmp_path / name).read_text() == '{"model_type": "llama"}'


def test_a_failed_save_leaves_what_was_there(saved):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_checkpoint(saved, sharp_preset("dva-static", dtype=torch.float32), None, {"a": {1}})
    assert load_checkpoint(saved).model.config.value_form.paired
    assert [each.name for each in saved.parent.iterdir()] == ["saved"]


def _changed(folder, change):
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file)


CHANGES = {
    "lacks 1 of the weights .* 'blocks.1.attn.query.weight'": lambda w: w.pop(
        "blocks.1.attn.query.weight"
    ),
    "holds unknown 1 of the weights .* 'extra'": lambda w: w.update(extra=torch.zeros(2)),
    r"'embed.weight' .* shape \(41, 32\), got \(40, 32\)": lambda w: w.update(
        {"embed.weight": torch.zeros(40, 32)}
    ),
    "'embed.weight' .* holds NaN or infinity": lambda w: w["embed.weight"][3].fill_(torch.nan),
    "mixes dtypes: torch.float32, torch.int64": lambda w: w.update(
        {"embed.weight": torch.zeros(41, 32, dtype=torch.long)}
    ),
}


@pytest.mark.parametrize("said", CHANGES)
def test_wrong_weights_are_refused_by_name(saved, said):
    _changed(saved, CHANGES[said])
    with pytest.raises(ValueError, match=said):
        load_checkpoint(saved)


def test_whole_numbers_are_no_weights(saved):
    _changed(saved, lambda w: w.update({name: each.long() for name, each in w.items()}))
    with pytest.raises(ValueError, match=r"must be of dtype float16, .* got torch.int64"):
        load_checkpoint(saved)


def test_eighths_of_a_number_are_no_weights(saved):
    _changed(saved, lambda w: w.update({n: each.to(torch.float8_e4m3fn) for n, each in w.items()}))
    with pytest.raises(ValueError, match=r"must be of dtype float16, .* got torch.float8_e4m3fn"):
        load_checkpoint(saved)


def _described(folder, **changes):
    file = folder / "config.json"
    held = json.loads(file.read_text())
    held["model"] |= changes
    file.write_text(json.dumps(held))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": 100_000}, "model.layers must be at most 4096, got 100000"),
        ({"feedforward": 1}, "model.feedforward must be one of swiglu"),
        ({"layers": 4000}, "holds .* numbers, and the configuration describes a model of .*,"),
        ({"vocabulary": 1 << 24}, "holds .* numbers, and the configuration describes a model of"),
    ],
)
def test_an_absurd_model_is_refused_before_memory_is_taken(saved, monkeypatch, changes, said):
    monkeypatch.setattr("dva_lens.models.checkpoint.Decoder", pytest.fail)
    _described(saved, **changes)
    with pytest.raises(ValueError, match=said):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_device_or_a_pipe_is_not_read(saved, name):
    (saved / name).unlink(missing_ok=True)
    os.mkfifo(saved / name)
    with pytest.raises(ValueError, match=f"{name}' is not a regular file"):
        load_checkpoint(saved)
    (saved / name).unlink()
    (saved / name).symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"{name}' is not a regular file"):
        load_checkpoint(saved)


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_a_pickle_is_refused_and_not_run(saved):
    (saved / "model.safetensors").write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(ValueError, match="is a pickle, which could run code"):
        load_checkpoint(saved)


@pytest.mark.parametrize("kept", [0, 5, 200, -100])
def test_a_truncated_file_is_refused_by_name(saved, kept):
    file = saved / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"model.safetensors' is damaged or cut short"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "config.json' is not valid JSON"),
        ("[1]", "must hold a JSON object, got list"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": 3, "model": {}}', "is of format 3, and this version reads up to 2; install"),
        ('{"format": true, "model": {}}', "format must be a whole number, got true"),
        ('{"model_type": "llama"}', "needs 'format' 1 or 2 and 'model', got keys model_type"),
    ],
)
def test_a_foreign_configuration_is_refused(saved, content, said):
    (saved / "config.json").write_text(content)
    with pytest.raises(ValueError, match=said):
        load_checkpoint(saved)


def test_an_unknown_key_of_the_configuration_is_named(saved):
    held = json.loads((saved / "config.json").read_text())
    held["model"]["widht"] = 3
    (saved / "config.json").write_text(json.dumps(held))
    with pytest.raises(
        ValueError, match=r"config.json' does not describe a model: .*'widht'.*width"
    ):
        load_checkpoint(saved)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(saved, missing):
    (saved / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing):
        load_checkpoint(saved)


def test_a_missing_folder_and_a_broken_tokenizer_are_named(saved):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        load_checkpoint(saved / "nowhere")
    (saved / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer.json' is no tokenizer"):
        load_checkpoint(saved)


def test_a_checkpoint_of_the_first_format_opens(tmp_path, caplog):
    model = sharp_preset("learned-sink")
    folder = save_checkpoint(tmp_path / "old", model)
    config = json.loads((folder / "config.json").read_text())
    assert config["format"] == 2
    config["format"], config["model"]["weights"] = 1, config["model"].pop("rule")
    (folder / "config.json").write_text(json.dumps(config))
    opened = load_checkpoint(folder).model
    assert opened.config == model.config
    assert [each.getMessage() for each in caplog.records] == [
        f"The model of {str(folder / 'config.json')!r} is read as it is: weights is now rule."
    ]
    torch.testing.assert_close(opened.state_dict(), model.state_dict(), rtol=0, atol=0)
    save_checkpoint(folder, opened)


@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_a_flipped_bit_of_a_weight_is_noticed(saved, place):
    file = saved / "model.safetensors"
    content = bytearray(file.read_bytes())
    data = 8 + int.from_bytes(content[:8], "little")
    content[data + int(place * (len(content) - data))] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"model.safetensors' does not hold what was written"):
        load_checkpoint(saved)


def test_weights_without_a_checksum_are_taken(saved):
    file = saved / "model.safetensors"
    save_file(load_file(file), file, metadata={"format": "pt"})
    assert load_checkpoint(saved).model
