import json
from dataclasses import replace

import pytest
from dva_lens.app.live.models import models_of

from dva_lens.results.archive import open_archive, scan


def checkpoint(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({}))
    return folder


def test_models_are_named_ones_and_those_that_the_archive_kept(folder, tmp_path):
    archive = replace(open_archive(folder), folder=tmp_path)
    kept = checkpoint(tmp_path / "checkpoints" / "dva-0")
    (tmp_path / "other" / "dva-0").mkdir(parents=True)
    (tmp_path / "small.gguf").write_bytes(b"GGUF")
    named = ["openai/gpt2", str(tmp_path / "other" / "dva-0"), str(tmp_path / "small.gguf")]
    found = models_of(archive, named)
    assert {name: model.place for name, model in found.items()} == {
        "gpt2": "openai/gpt2",
        "dva-0": named[1],
        "small": named[2],
        "dva-0 (2)": str(kept),
    }
    assert {name: model.name for name, model in found.items()} == {name: name for name in found}


def test_no_label_leads_out_of_the_folder_of_checkpoints(folder, tmp_path):
    checkpoint(tmp_path / "secret")
    checkpoint(tmp_path / "checkpoints" / "sub" / "deeper")
    archive = open_archive(folder)
    for label in ("../secret", str(tmp_path / "secret"), "sub/deeper"):
        forged = replace(archive.runs[0], label=label)
        assert models_of(replace(archive, folder=tmp_path, runs=(forged,)), ()) == {}


@pytest.mark.parametrize("name", ["./none", "/none", "~/none", "a/b/c", "--help", " "])
def test_a_path_that_is_not_there_is_refused_at_once(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="--model takes a checkpoint folder"):
        models_of(scan(tmp_path), [name])
