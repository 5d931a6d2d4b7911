import shutil

import pandas as pd
import pytest
from fakes import fake_archive

from dva_lens.cli import export
from dva_lens.statistics.table import RECORDED


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_are_written_one_per_statistic(call, study_folder, tmp_path, form):
    result = call("export", study_folder, "--format", form, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    names = {path.stem for path in tmp_path.iterdir()}
    assert names == {"runs", "means", *RECORDED}
    read = pd.read_csv if form == "csv" else pd.read_parquet
    assert set(read(tmp_path / f"loss.{form}")["run"]) == {
        "transformer-0", "transformer-1", "dva-0", "dva-1",
    }  # fmt: skip


def test_without_pyarrow_parquet_says_how_to_get_it(refused, study_folder, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda _: None)
    found = refused("export", study_folder, "--format", "parquet")
    assert "pip install pyarrow" in found
    assert "--format csv" in found


def test_a_broken_run_leaves_the_others(call, study_folder, tmp_path):
    folder = shutil.copytree(study_folder, tmp_path / "copy")
    broken = next(path for path in (folder / "archive.zarr" / "runs").iterdir() if path.is_dir())
    (broken / "zarr.json").write_text("{")
    result = call("export", folder)
    assert result.exit_code == 0, result.stderr
    assert f"/runs/{broken.name}" in result.stderr
    assert len(pd.read_csv(folder / "export" / "runs.csv")) == 3


def test_trees_of_headvis_are_written_for_runs_that_keep_edges(call, refused, tmp_path):
    edged = fake_archive(tmp_path / "edged", ("transformer", "dva"), 1, edges=True)
    result = call("export", edged, "--format", "headvis", "--out", tmp_path / "trees")
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in (tmp_path / "trees").iterdir()} == {"transformer-0", "dva-0"}
    assert len(list((tmp_path / "trees" / "transformer-0" / "heads").iterdir())) == 16
    without = fake_archive(tmp_path / "without", ("dva",), 1)
    assert "keeps no edges" in refused("export", without, "--format", "headvis")
