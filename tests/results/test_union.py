import pytest
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError
from dva_lens.results.union import union


def test_runs_of_two_folders_are_read_as_one_archive(archive_folder, tmp_path):
    first = open_archive(archive_folder)
    other = open_archive(fake_archive(tmp_path, models=("gated",), seeds=1))
    both = union(first, other)
    assert [run.label for run in both.runs] == ["transformer-0", "dva-0", "gated-0"]
    assert both.on("held-out").models == ("transformer", "dva", "gated")
    own, there = both.dataset("gated-0"), other.dataset("gated-0")
    assert own.load().identical(there.load())
    assert both.outline(both.run("gated-0"), "held-out").sizes["head"] == 4


def test_a_label_that_both_hold_is_refused(archive_folder):
    archive = open_archive(archive_folder)
    with pytest.raises(ArchiveError, match=r"both hold .*dva-0, transformer-0; .*another --name"):
        union(archive, archive)
