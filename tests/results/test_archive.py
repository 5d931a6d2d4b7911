import html
import json
import shutil

import numpy as np
import pytest
import xarray as xr
from fakes import STEPS, fake_measurement
from typer.testing import CliRunner

from dva_lens.cli.entry import app
from dva_lens.reports.report import write_report
from dva_lens.results.archive import open_archive, scan
from dva_lens.results.schema import SCHEMA_VERSION, ArchiveError, statistics_of
from dva_lens.results.writer import create_archive
from dva_lens.statistics.table import RECORDED


@pytest.fixture
def spoilt(archive_folder, tmp_path):
    """A copy of the archive, and the group of its run `dva-0`."""
    folder = shutil.copytree(archive_folder, tmp_path / "copy")
    key = open_archive(folder).run("dva-0").key
    return folder, folder / "archive.zarr" / "runs" / key


def change(file, **attributes):
    found = json.loads(file.read_text())
    found["attributes"].update(attributes)
    file.write_text(json.dumps(found))


def test_runs_come_in_the_order_of_the_study_with_what_they_say_of_themselves(archive_folder):
    archive = open_archive(archive_folder)
    assert [run.label for run in archive.runs] == ["transformer-0", "dva-0"]
    assert [row["label"] for row in archive.catalogue] == ["transformer-0", "dva-0"]
    assert archive.run("dva-0") is archive.run(archive.run("dva-0").key)
    assert archive.texts_of("dva-0") == ("held-out", "shuffled")
    assert not archive.unreadable


def test_what_was_written_is_read_back_bit_for_bit(archive_folder):
    expected = fake_measurement("dva", 0, heads=1, steps=STEPS, keep_queries=True)
    found = open_archive(archive_folder).dataset("dva-0").load()
    xr.testing.assert_identical(found, expected)
    assert list(found) == list(expected)
    assert statistics_of(found) == RECORDED


def test_measurements_are_read_when_they_are_looked_at(archive_folder):
    data = open_archive(archive_folder).dataset("dva-0")
    assert not data["entropy"].variable._in_memory


def test_xarray_alone_reads_it(archive_folder):
    tree = xr.open_datatree(
        archive_folder / "archive.zarr", engine="zarr", consolidated=False, chunks=None
    )
    runs = tree["runs"].children
    assert {run.attrs["label"] for run in runs.values()} == {"transformer-0", "dva-0"}
    for run in runs.values():
        assert set(run.children) == {"held-out", "shuffled", "training"}
        assert np.isfinite(run["held-out"]["entropy"].sel(step=160, span=3)).all()
    tree.close()


def test_nothing_foreign_stands_beside_the_groups(archive_folder):
    runs = archive_folder / "archive.zarr" / "runs"
    assert all(path.is_dir() or path.name == "zarr.json" for path in runs.iterdir())


def test_a_newer_archive_is_refused_with_both_numbers(spoilt):
    folder, _ = spoilt
    change(folder / "archive.zarr" / "zarr.json", schema=SCHEMA_VERSION + 1)
    with pytest.raises(
        ArchiveError, match=rf"schema {SCHEMA_VERSION + 1}.*up to {SCHEMA_VERSION}"
    ):
        open_archive(folder)


def test_a_newer_run_is_named_and_the_others_stay(spoilt):
    folder, run = spoilt
    change(run / "zarr.json", schema=SCHEMA_VERSION + 1)
    archive = open_archive(folder)
    assert [found.label for found in archive.runs] == ["transformer-0"]
    assert f"/runs/{run.name}" in archive.unreadable
    assert "upgrade" in archive.unreadable[f"/runs/{run.name}"]


@pytest.mark.parametrize("how", ["missing", "cut", "foreign"])
def test_a_half_written_run_is_named_and_the_others_stay(spoilt, how):
    folder, run = spoilt
    if how == "missing":
        (run / "zarr.json").unlink()
    else:
        (run / "zarr.json").write_text('{"zarr_form' if how == "cut" else '{"hello": 1}')
    archive = open_archive(folder)
    assert [found.label for found in archive.runs] == ["transformer-0"]
    assert f"/runs/{run.name}" in next(iter(archive.unreadable.values()))
    assert np.isfinite(archive.dataset("transformer-0")["loss"]).all()


def test_a_lost_chunk_is_not_read_as_absent_numbers(spoilt):
    folder, run = spoilt
    shutil.rmtree(run / "held-out" / "entropy" / "c")
    archive = open_archive(folder)
    with pytest.raises(ArchiveError, match=rf"/runs/{run.name}/held-out .*half written"):
        archive.dataset("dva-0")
    assert archive.dataset("dva-0", "shuffled")["entropy"].size


def damage(group, variable, at=-1):
    """Change one bit of a chunk."""
    chunk = max((path for path in (group / variable / "c").rglob("*") if path.is_file()), key=size)
    held = bytearray(chunk.read_bytes())
    held[at] ^= 1
    chunk.write_bytes(held)


def size(path):
    return path.stat().st_size


@pytest.mark.parametrize("variable", ["entropy", "rows", "document"])
@pytest.mark.parametrize("at", [4, -8, -1])
def test_a_damaged_variable_takes_its_run_out_and_is_named(spoilt, variable, at):
    """Whichever bit was changed: also one that leaves what can be decompressed."""
    folder, run = spoilt
    damage(run / "held-out", variable, at)
    found = open_archive(folder).on("held-out")
    assert found.models == ("transformer",)
    (said,) = found.left_out
    assert said.startswith(f"{variable} of /runs/{run.name}/held-out of {folder} cannot be read")
    assert np.isfinite(found.estimate("entropy")["value"]).all()
    assert open_archive(folder).on("shuffled").models == ("transformer", "dva")


def test_a_damaged_variable_leaves_report_comparison_and_tables(spoilt):
    folder, run = spoilt
    damage(run / "held-out", "entropy")
    page = write_report(folder, folder / "report.html").read_text(encoding="utf-8")
    assert f"entropy of /runs/{run.name}/held-out" in html.unescape(page)
    compared = ["compare", folder, "--baseline", "transformer"]
    for words in (["export", folder, "--out", folder / "out"], compared):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        assert f"entropy of /runs/{run.name}/held-out" in " ".join(done.output.split()), words


def test_damaged_tokens_and_logs_are_named(spoilt):
    folder, run = spoilt
    damage(run / "held-out", "entropy_by_query")
    archive = open_archive(folder)
    assert archive.on("held-out").models == ("transformer", "dva")
    with pytest.raises(ArchiveError, match=rf"entropy_by_query of /runs/{run.name}/held-out"):
        archive.display("dva-0")


def test_a_lost_group_is_named(spoilt):
    folder, run = spoilt
    shutil.rmtree(run / "training")
    with pytest.raises(ArchiveError, match=rf"/runs/{run.name}/training .*cannot be read"):
        open_archive(folder).training("dva-0")


def test_a_folder_that_is_missing_or_another_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="There is no folder"):
        open_archive(tmp_path / "nothing")
    with pytest.raises(ArchiveError, match=r"holds no archive.zarr"):
        open_archive(tmp_path)


def test_the_archive_of_a_study_killed_in_its_first_run_says_how_to_go_on(tmp_path):
    create_archive(tmp_path)
    assert scan(tmp_path).runs == ()
    with pytest.raises(ArchiveError, match="no finished run yet; the command that started it"):
        open_archive(tmp_path)


def test_unknown_runs_and_texts_are_refused_with_what_there_is(archive_folder):
    archive = open_archive(archive_folder)
    with pytest.raises(ArchiveError, match=r"No run 'dva-7'.*transformer-0, dva-0"):
        archive.run("dva-7")
    with pytest.raises(ArchiveError, match=r"not measured on 'news'; it was on: held-out"):
        archive.dataset("dva-0", "news")


def test_the_archive_itself_may_be_named_instead_of_its_folder(archive_folder):
    assert open_archive(archive_folder / "archive.zarr").folder == archive_folder
