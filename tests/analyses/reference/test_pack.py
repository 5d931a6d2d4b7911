import json
import zipfile

import numpy as np
import torch
from dva_lens.analyses.reference import pack
from fakes import fake_archive
from small_models import SIZE
from small_text import small_corpus

from dva_lens.data.tokenizer import end_token, train_tokenizer
from dva_lens.models.checkpoint import load_checkpoint, save_checkpoint
from dva_lens.models.decoder import build
from dva_lens.models.presets import preset
from dva_lens.results import shipped
from dva_lens.results.archive import open_archive


def test_numbers_keep_their_first_bits():
    values = np.random.default_rng(0).lognormal(sigma=5.0, size=1000).astype(np.float32)
    near = pack.rounded(values)
    np.testing.assert_allclose(near, values, rtol=2.0 ** -(pack.BITS + 1))
    assert not (near.view(np.uint32) & ((1 << (23 - pack.BITS)) - 1)).any()
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype=np.float32)
    np.testing.assert_array_equal(pack.rounded(odd), odd)
    assert pack.rounded(np.arange(3)).dtype.kind == "i"


def test_a_packed_study_is_opened_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "SEQUENCES", 3)
    monkeypatch.setattr(pack, "STEPS", 2)
    monkeypatch.setattr(shipped, "PLACE", tmp_path / "package")
    monkeypatch.setenv("DVA_LENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = fake_archive(tmp_path / "made", models=("transformer", "dva-separable"), seeds=1)
    out = tmp_path / "package" / "known"
    pack.main([str(folder), str(out)])
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    assert {*first} == {"transformer-0.zip", "dva-separable-0.zip"}
    whole, kept = open_archive(folder), open_archive("known")
    assert kept.texts == ("held-out",)
    for run in kept.runs:
        data, full = kept.dataset(run), whole.dataset(run.label)
        assert data["step"].values.tolist() == full["step"].values[[0, -2, -1]].tolist()
        wanted = full["entropy"].isel(step=[0, -2, -1], sequence=slice(3))
        np.testing.assert_allclose(data["entropy"], wanted, rtol=2.0**-pack.BITS)
        assert "3 sequences" in json.loads(run.attrs["provenance"])["packed"]
    assert "entropy_by_query" in kept.dataset("transformer-0")
    assert "entropy_by_query" not in kept.dataset("dva-separable-0")
    assert kept.training("transformer-0").sizes == whole.training("transformer-0").sizes
    for file in out.iterdir():
        file.unlink()
    pack.main([str(folder), str(out)])
    assert {file.name: file.read_bytes() for file in out.iterdir()} == first


def test_models_stand_where_the_reference_study_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PLACE", tmp_path / "package")
    monkeypatch.setenv("DVA_LENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = fake_archive(tmp_path / "made", models=("dva", "transformer"), seeds=1)
    assert [run.label for run in open_archive(folder).runs] == ["dva-0", "transformer-0"]
    pack.main([str(folder), str(tmp_path / "package" / "known")])
    labels = [run.label for run in open_archive("known").runs]
    assert labels == ["transformer-0", "dva-0"]


def test_a_packed_model_is_the_model_to_half_precision_and_begins_with_the_start_token(tmp_path):
    model = build(preset("transformer", SIZE.changed(vocabulary=300)), seed=0)
    model.tokenizer = train_tokenizer(small_corpus(), 300)
    folder = save_checkpoint(tmp_path / "transformer-0", model, training={"seed": 0})
    wanted = {name: each.detach().clone() for name, each in model.named_parameters()}
    file = pack.pack_checkpoint(folder, tmp_path / "out")
    assert file.name == "transformer-0-checkpoint.zip"
    with zipfile.ZipFile(file) as packed:
        packed.extractall(tmp_path / "opened")
    found = load_checkpoint(tmp_path / "opened" / "checkpoints" / "transformer-0")
    assert found.training == {"seed": 0}
    assert found.tokenizer.encode("a").ids[0] == end_token(found.tokenizer)
    for name, each in found.model.named_parameters():
        torch.testing.assert_close(each, wanted[name], rtol=2.0**-11, atol=0)
