from dva_lens.analyses.pages import pictures
from fake_edges import with_edges
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.writer import write_run


def test_the_head_that_is_shown_has_edges_and_the_most_on_the_first_key(tmp_path):
    folder = fake_archive(tmp_path, models=("transformer", "resformer-identity"), seeds=1)
    archive = open_archive(folder)
    run = archive.run("resformer-identity-0")
    data = with_edges(archive.dataset(run).load().drop_encoding())
    data["first_key_mass"].loc[{"layer": 2, "head": 1}] = 0.9
    write_run(folder, run.key, attrs=dict(run.attrs), measurements={"held-out": data})
    found = pictures.strongest(open_archive(folder))
    assert found == ("resformer-identity-0", 2, 1)
    shown = pictures.pictures(open_archive(folder))
    assert [each.name for each in shown] == ["overview", "tokens"]
    assert "run=resformer-identity-0&layer=2&head=1" in shown[1].address
