"""Numbers that pages show are the archive's own, read once."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from dva_lens.app.catalogue import catalogue_of
from dva_lens.app.library import Library, NothingToShowError
from dva_lens.app.state import Selection
from explorer import show

from dva_lens.results.archive import open_archive


def test_menus_come_from_the_archive(library):
    menu = library.catalogue
    names = [measure.name for measure in menu.measures]
    assert [run.name for run in menu.runs] == ["transformer-0", "transformer-1", "dva-0", "dva-1"]
    assert menu.texts == ("held-out", "shuffled")
    assert menu.usual_span == 5, "span 6 holds one query of 64"
    assert "sink_rate" in names
    assert "value_source_share.first" in names
    assert "loss" not in [measure.name for measure in menu.layer_measures]
    assert "importance_entropy" not in [measure.name for measure in menu.head_measures]


def test_a_threshold_is_the_published_one(library):
    held = library.measurement("transformer-0", "held-out")
    raw = library.archive.dataset("transformer-0", "held-out").isel(step=-1)
    xr.testing.assert_equal(
        held["sink_rate"].drop_vars("step"),
        raw["sink_rate"].sel(threshold=0.3, drop=True).drop_vars("step"),
    )
    assert "0.3" in held["sink_rate"].attrs["long_name"]


def test_heads_read_what_the_map_shows(library, chosen):
    heads = library.heads(chosen.run, chosen.text, chosen.span)
    for row in show("head-map", library, chosen).rows:
        at = row["layer"], row["head"]
        np.testing.assert_allclose(row["value"], heads["entropy"].values[at], rtol=1e-9)


def test_key_value_heads_stand_at_the_heads_that_read_them(library, monkeypatch):
    held = library.measurement("transformer-0", "held-out").isel(kv_head=[0, 1])
    shared = Library(library.archive)
    monkeypatch.setattr(shared, "measurement", lambda run, text: held)
    drain = shared.by_query_head("transformer-0", "held-out")["value_drain"]
    assert drain.dims == ("layer", "head", "sequence")
    np.testing.assert_array_equal(drain.isel(head=1), held["value_drain"].isel(kv_head=0))
    np.testing.assert_array_equal(drain.isel(head=2), held["value_drain"].isel(kv_head=1))


def test_reads_are_remembered(library):
    first = library.measurement("dva-0", "held-out")
    assert library.measurement("dva-0", "held-out") is first


def test_what_is_missing_is_said(library):
    with pytest.raises(NothingToShowError, match="was not measured on the text “nowhere”"):
        library.measurement("dva-0", "nowhere")
    with pytest.raises(NothingToShowError, match="kept no single tokens"):
        library.display("dva-0", "shuffled")
    with pytest.raises(NothingToShowError, match="only after it"):
        library.histories("shuffled", "entropy")


def test_a_run_that_cannot_be_read_is_left_out_and_named(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    broken = open_archive(copy).runs[0]
    shutil.rmtree(copy / "archive.zarr" / "runs" / broken.key / "held-out" / "entropy")
    menu = catalogue_of(open_archive(copy))
    assert broken.label not in [run.name for run in menu.runs]
    assert any("half written" in reason for reason in menu.refused)


def test_shorter_texts_have_empty_spans(library):
    wider = Library(library.archive)
    wider.catalogue = replace(wider.catalogue, spans=(*wider.catalogue.spans, 7, 8))
    held = wider.measurement("dva-0", "held-out")
    assert held.sizes["span"] == 9
    assert held["rows"].sel(span=8).sum() == 0
    assert np.isnan(held["entropy"].sel(span=8)).all()
    chosen = Selection.from_query("", wider.catalogue).but(span=8)
    for name in ("depth", "head-map", "head-spans"):
        assert show(name, wider, chosen).title
    assert wider.heads("dva-0", "held-out", 8)["entropy"].isnull().all()
