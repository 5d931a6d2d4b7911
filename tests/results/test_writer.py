import os
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from fakes import fake_measurement, fake_training

from dva_lens.results import writer
from dva_lens.results.archive import open_archive, scan
from dva_lens.results.schema import RUN_ATTRS, ArchiveError
from dva_lens.results.writer import plain_text, recover, write_catalogue, write_run

WORDS = {"label": "m-0", "preset": "m", "model": "m", "config": "{}"}
ATTRS = dict.fromkeys(RUN_ATTRS, 0) | WORDS


@pytest.fixture
def small():
    return fake_measurement("m", layers=1, heads=1, sequences=2, length=8)


def killed(*_):
    raise KeyboardInterrupt


def write(folder, data, key="k0", **attrs):
    return write_run(folder, key, attrs=ATTRS | attrs, measurements={"held-out": data})


def test_a_run_appears_whole_and_leaves_nothing_behind(tmp_path, small):
    write(tmp_path, small)
    assert [run.key for run in open_archive(tmp_path).runs] == ["k0"]
    assert not list((tmp_path / ".partial").iterdir())


def test_a_full_disk_leaves_finished_runs_and_hides_the_unfinished(tmp_path, small, monkeypatch):
    write(tmp_path, small)

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, small, key="k1", label="m-1")
    assert [run.key for run in open_archive(tmp_path).runs] == ["k0"]


def test_a_run_is_replaced_as_a_whole(tmp_path, small):
    write(tmp_path, small)
    write(tmp_path, small, loss=2.0)
    archive = open_archive(tmp_path)
    assert [run.attrs["loss"] for run in archive.runs] == [2.0]


def test_a_run_moved_aside_by_a_process_that_died_comes_back(tmp_path, small, monkeypatch):
    write(tmp_path, small)
    monkeypatch.setattr(
        writer, "os", SimpleNamespace(replace=killed, scandir=os.scandir, path=os.path)
    )
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, small, loss=2.0)
    assert scan(tmp_path).runs == ()
    recover(tmp_path)
    assert [run.attrs["loss"] for run in open_archive(tmp_path).runs] == [0]
    assert not list((tmp_path / ".partial").iterdir())


def test_recovery_leaves_what_is_somebody_elses(tmp_path):
    (tmp_path / ".partial" / "k1.training").mkdir(parents=True)
    (tmp_path / ".partial" / "k1").mkdir()
    recover(tmp_path)
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == ["k1.training"]


def test_text_of_every_kind_is_kept(tmp_path, small):
    words = np.array(["", "naïve", "a\nb"])
    data = small.assign_coords(document=("sequence", words[:2]))
    assert plain_text(data)["document"].dtype == object
    write(tmp_path, data)
    assert open_archive(tmp_path).dataset("k0")["document"].values.tolist() == ["", "naïve"]


def test_a_training_log_is_no_measurement(tmp_path, small):
    log = fake_training(steps=5)
    measurements = {"held-out": small}
    write_run(tmp_path, "k0", attrs=ATTRS, measurements=measurements, training=log)
    xr.testing.assert_identical(open_archive(tmp_path).training("k0").load(), log)
    with pytest.raises(ArchiveError, match="list of names of texts"):
        write_run(tmp_path, "k1", attrs=ATTRS, measurements={"training": small})
    with pytest.raises(ArchiveError, match="list of names of texts"):
        write_run(tmp_path, "k1", attrs=ATTRS, measurements={"../x": small})


def test_a_run_that_does_not_say_what_it_is_is_refused(tmp_path, small):
    with pytest.raises(ArchiveError, match=r"lacks the attributes model, preset"):
        write_run(tmp_path, "k0", attrs={"seed": 0}, measurements={"held-out": small})


def test_a_catalogue_is_whole_or_as_before(tmp_path):
    write_catalogue(tmp_path, {"runs": [np.float32(0.5)]})
    before = (tmp_path / "catalogue.json").read_text()
    with pytest.raises(TypeError, match="plain values, got object"):
        write_catalogue(tmp_path, {"runs": [object()]})
    assert (tmp_path / "catalogue.json").read_text() == before


def test_the_number_of_files_is_that_of_the_group(tmp_path, small):
    group = write(tmp_path, small) / "held-out"
    assert writer.count_files(group) == len([p for p in group.rglob("*") if p.is_file()])
