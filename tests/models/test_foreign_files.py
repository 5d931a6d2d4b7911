"""What is known of a foreign checkpoint before transformers opens it."""

import json
import os
import shutil

import memory
import pytest
from families import family

import dva_lens as lens
from dva_lens.models.foreign_files import blaming


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "llama"
    family("llama").save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "llama")


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_what_is_no_regular_file_is_not_opened(folder, name, kind):
    file = folder / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to({"device": "/dev/zero", "nothing": "absent"}[kind])
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        lens.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 10**5}, r"config.json' says num_hidden_layers=100000, and .* 21"),
        ({"vocab_size": 10**8}, r"config.json' describes a model of .* and its weights hold"),
        ({"hidden_size": "wide"}, r"config.json' .*hidden_size"),
        ({"model_type": 3}, r"config.json' says that the model is of type 3"),
        ({"architectures": 3}, r"\(config.json\) names no architecture"),
        (
            {"num_attention_heads": 0},
            r"config.json' is no configuration of a model of type 'llama'",
        ),
    ],
)
def test_a_configuration_that_weights_do_not_fill_takes_no_memory(folder, change, message):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    def refused():
        with pytest.raises(ValueError, match=message):
            lens.load(folder)

    assert memory.peak(refused) < 64 << 20


@pytest.mark.parametrize("content", ["[" * 100_000, "3", "{", ""])
def test_a_configuration_that_is_none_is_named(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config.json' (is not valid JSON|must hold a JSON obj)"):
        lens.load(folder)


def test_whatever_a_library_raises_names_the_culprit(tmp_path):
    with (
        pytest.raises(ValueError, match=r"x.json' is odd: one$"),
        blaming(tmp_path / "x.json", "is odd"),
    ):
        raise AttributeError("one\ntwo")
    with (
        pytest.raises(ValueError, match=r"x.json' is odd: StopIteration$"),
        blaming(tmp_path / "x.json", "is odd"),
    ):
        raise StopIteration
    with pytest.raises(MemoryError), blaming(tmp_path, "is odd"):
        raise MemoryError
