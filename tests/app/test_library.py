"""Numbers that pages show are the archive's own, read once."""

import gc
import weakref

import numpy as np
import pytest
import xarray as xr
from dva_lens.app.catalogue import catalogue_of
from dva_lens.app.downloads import numbers_of
from dva_lens.app.library import Library, NothingToShowError
from dva_lens.app.pages.heads.ranking import ranks
from dva_lens.app.state import EVERY_SPAN, Selection
from dva_lens.app.unattended import unattended
from explorer import PARTS, show
from fakes import fake_archive, fake_measurement

from dva_lens.results.archive import open_archive
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.schema import ArchiveError
from dva_lens.results.writer import write_run


def test_menus_come_from_the_archive(library):
    menu = library.catalogue
    names = [measure.name for measure in menu.measures]
    assert [run.name for run in menu.runs] == ["transformer-0", "transformer-1", "dva-0", "dva-1"]
    assert menu.texts == ("held-out", "shuffled")
    assert menu.spans == tuple(range(7)), "every span that holds a query"
    assert "sink_rate" in names
    assert "value_source_share.first" in names
    assert "loss" not in [measure.name for measure in menu.layer_measures]
    assert "importance_entropy" not in [measure.name for measure in menu.head_measures]


def test_a_threshold_is_the_published_one(library):
    (part,) = library.of_run("transformer-0", "held-out").parts
    raw = library.archive.dataset("transformer-0", "held-out").isel(step=-1)
    xr.testing.assert_equal(
        part.data["sink_rate"].drop_vars("step"),
        raw["sink_rate"].sel(threshold=0.3, drop=True).drop_vars("step"),
    )
    assert "0.3" in part.data["sink_rate"].attrs["long_name"]


def test_heads_read_what_the_map_shows(library, chosen):
    heads = library.by_head(chosen.run, chosen.text, "entropy", chosen.span)
    for row in show("head-map", library, chosen).rows:
        at = row["layer"], row["head"]
        np.testing.assert_allclose(row["value"], heads.values[at], rtol=1e-9)


def test_numbers_are_those_that_results_give(library, chosen):
    """Of every model, of one head, and in the table of the overview."""
    values = library.archive.values("entropy", text=chosen.text)
    found = estimate(values)
    rows = numbers_of(PARTS["headline"], library, chosen)[1]
    said = {row["model"]: row for row in rows if row["statistic"] == "entropy"}
    for model in found.model.values:
        for column in ("value", "low", "high"):
            assert said[model][column] == float(found[column].sel(model=model))
    heads = mean_of(values.sel(model="transformer", seed=0), ("layer", "head"))
    shown = library.by_head("transformer-0", chosen.text, "entropy", chosen.span)
    np.testing.assert_array_equal(shown.values, heads.values)


def test_layers_with_windows_weigh_by_their_own_rows(tmp_path):
    """Half of the layers see few keys: a mean that took the rows of the others would differ."""
    data = fake_measurement("transformer", 0, layers=2)
    rows = np.stack([data["rows"].values, data["rows"].values])
    rows[1, :, 3:] = 0
    rows[1, :, 2] = 100
    data = data.assign(rows_by_layer=(("layer", "sequence", "span"), rows))
    folder = fake_archive(tmp_path, models=("transformer",), seeds=1)
    (run,) = open_archive(folder).runs
    write_run(folder, run.key, attrs=run.attrs, measurements={"held-out": data})
    library = Library(open_archive(folder))
    found = library.by_head("transformer-0", "held-out", "entropy", EVERY_SPAN)
    values = data["entropy"].values.astype(float)
    weights = np.broadcast_to(rows[:, None], values.shape)
    held = np.where(np.isfinite(values), weights, 0)
    want = (np.nan_to_num(values) * held).sum((2, 3)) / held.sum((2, 3))
    np.testing.assert_allclose(found.values, want, rtol=1e-12)


def test_key_value_heads_stand_at_the_heads_that_read_them(tmp_path):
    data = fake_measurement("transformer", 0, kv_heads=2)
    folder = fake_archive(tmp_path, models=("transformer",), seeds=1)
    (run,) = open_archive(folder).runs
    write_run(folder, run.key, attrs=run.attrs, measurements={"held-out": data})
    (part,) = Library(open_archive(folder)).of_run("transformer-0", "held-out").parts
    drain = part.data["value_drain"]
    assert set(drain.dims) == {"layer", "head", "sequence"}
    np.testing.assert_array_equal(drain.isel(head=1), data["value_drain"].isel(kv_head=0))
    np.testing.assert_array_equal(drain.isel(head=2), data["value_drain"].isel(kv_head=1))


def test_reads_are_remembered(library):
    first = library.of_run("dva-0", "held-out")
    assert library.of_run("dva-0", "held-out") is first
    assert library.on("held-out") is library.on("held-out")


def test_what_is_missing_is_said(library):
    with pytest.raises(NothingToShowError, match="was not measured on the text “nowhere”"):
        library.of_run("dva-0", "nowhere")
    with pytest.raises(NothingToShowError, match="No run was measured on the text “nowhere”"):
        library.on("nowhere")
    with pytest.raises(ArchiveError, match="kept no single tokens"):
        library.display("dva-0", "shuffled")
    with pytest.raises(NothingToShowError, match="only after it"):
        library.history("shuffled")


def test_trainings_of_different_texts_are_not_one_model(tmp_path, chosen):
    folder = fake_archive(tmp_path, models=("transformer",))
    first, other = open_archive(folder).runs
    data = fake_measurement("transformer", 1, sequences=4)
    write_run(folder, other.key, attrs=other.attrs, measurements={"held-out": data})
    library = Library(open_archive(folder))
    for name, said in (("depth", "different texts"), ("difference", "other texts")):
        assert said in show(name, library, chosen).missing
    assert not show("head-map", library, chosen).missing, "one training needs no other"
    assert first.label in show("depth", library, chosen).missing


def test_a_run_that_cannot_be_read_is_left_out_and_named(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    broken = open_archive(copy).runs[0]
    shutil.rmtree(copy / "archive.zarr" / "runs" / broken.key / "held-out" / "entropy")
    menu = catalogue_of(open_archive(copy))
    assert broken.label not in [run.name for run in menu.runs]
    assert any("half written" in reason for reason in menu.refused)


def test_shorter_texts_have_empty_spans(library, chosen):
    chosen = chosen.but(span=8)
    for name in ("depth", "head-map", "head-spans"):
        assert show(name, library, chosen).title
    assert "sees 256-511 keys" in show("head-map", library, chosen).missing
    assert library.by_head("dva-0", "held-out", "entropy", 8).isnull().all()


def test_another_head_on_tokens_opens_the_archive_no_more(folder, monkeypatch):
    library = Library(open_archive(folder))
    library.edges("transformer-0", "held-out", 0, 0, 0)
    monkeypatch.delattr(type(library.archive), "dataset")
    assert library.edges("transformer-0", "held-out", 1, 2, 0).attrs["head"] == 2


def test_a_library_that_nobody_holds_is_let_go(folder):
    library = Library(open_archive(folder))
    chosen = Selection.from_query("", library.catalogue)
    measure = library.catalogue.measure(chosen.statistic)
    assert ranks(library, chosen, measure)
    assert ranks(library, chosen, measure) is ranks(library, chosen, measure)
    assert unattended(library, chosen.run, chosen.text) == ""
    held = weakref.ref(library)
    del library
    gc.collect()
    assert held() is None
