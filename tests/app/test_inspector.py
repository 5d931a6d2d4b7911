"""The inspector says of a head what results say of it, and pairs a pinned head with it."""

import numpy as np
import pytest
import xarray as xr
from dva_lens.app.callbacks import refill
from dva_lens.app.head import NO_HEAD, Head, head_named
from dva_lens.app.inspector.readings import lines, sink_of
from dva_lens.app.inspector.strongest import LISTED, edges_of, strongest_edges
from dva_lens.app.layout import page_at
from dva_lens.app.library import Library
from dva_lens.app.pages import PAGES
from explorer import PARTS, fill
from fake_live import written

import dva_lens as lens
from dva_lens.axes import MANY_KEYS
from dva_lens.results.archive import open_archive
from dva_lens.results.edges import pinned_keys
from dva_lens.results.estimates import estimate
from dva_lens.results.reader import Measurements

AT = {"run": "transformer-1", "layer": 2, "head": 3}
PIN = Head("transformer-0", 1, 2)


@pytest.fixture
def head(chosen):
    return chosen.but(**AT)


@pytest.mark.parametrize("path", PAGES)
def test_the_chosen_head_stands_beside_every_page(library, path):
    text = written(page_at(library, path, "?run=transformer-1&layer=2&head=3"))
    assert "L2H3" in text
    assert "transformer-1" in text


def test_numbers_are_those_of_results(library, head):
    each = library.archive.on("held-out").each_training()
    found = lines(library, head)
    assert {"entropy", "effective_keys"} <= {line.measure.name for line in found}
    for line in found:
        if line.measure.at == "kv_head":
            continue
        one = each.estimate(line.measure.name, ("layer", "head"))
        one = one.sel(model="transformer · seed 1", layer=2, head=3)
        for name in ("value", "low", "high"):
            assert getattr(line.own, name) == pytest.approx(float(one[name]), rel=1e-12)
        uniform = each.uniform(line.measure.name, ("layer",))
        assert np.isnan(line.uniform) == (uniform is None)


def test_the_verdict_is_the_row_of_the_sink_table(library, head):
    table = lens.sinks(library.archive)
    rows = table[(table.model == "transformer") & (table.seed == 1)]
    rows = rows[(rows.layer == 2) & (rows["head"] == 3) & (rows.sink | (rows.position == 0))]
    row = sink_of(library, head, head.at_hand)
    assert (row["mass"], row["low"]) == (rows.mass.iloc[0], rows.low.iloc[0])
    assert row["sink"] == rows.sink.any()
    word = "sink" if row["sink"] else "no sink here"
    assert f'"{word}"' in written(fill("inspector", library, head))


def test_a_pinned_head_is_paired_text_by_text(library, head):
    both = head.but(pin=str(PIN))
    found = {line.measure.name: line for line in lines(library, both)}["entropy"]
    values = library.archive.values("entropy", text="held-out").sel(model="transformer")
    one, other = values.sel(seed=1, layer=2, head=3), values.sel(seed=0, layer=1, head=2)
    assert found.minus.value == pytest.approx(found.own.value - found.other.value)
    expected = estimate(one.copy(data=one.values - other.values))
    ends = (expected["low"].item(), expected["high"].item())
    assert found.minus.ends == pytest.approx(ends)
    text = written(fill("inspector", library, both))
    assert "Pinned: " in text
    assert "paired text by text" in text


def test_heads_of_other_tokens_are_not_subtracted(library, head, monkeypatch):
    from dva_lens.app.inspector import readings

    monkeypatch.setattr(readings, "_alike", lambda *_: False)
    library = Library(library.archive)
    text = written(fill("inspector", library, head.but(pin=str(PIN))))
    assert "were not read from the same tokens" in text
    assert "paired text by text" not in text


def test_a_pin_is_a_head_of_the_archive_or_none(library, chosen):
    read = type(chosen).from_query
    assert read(f"?pin={PIN}", library.catalogue).pinned == PIN
    for wrong in ("dva-0.L2H3", "transformer-0.L99H0", "nobody.L0H0", "<script>", "..L1H1"):
        assert read(f"?pin={wrong}", library.catalogue).pin == NO_HEAD
    assert head_named("a.b.L1H2") == Head("a.b", 1, 2)


def test_the_strongest_edges_are_the_largest_beside_the_pinned_keys(library, head):
    found = edges_of(library, head)
    listed = strongest_edges(found)
    weights = [weight for *_, weight in listed]
    assert weights == sorted(weights, reverse=True)
    assert all(key not in (0, query) for query, key, _ in listed)
    held = (found["key"].values > 0) & (found["visible"].values >= 16)[:, None]
    held &= found["key"].values != np.arange(len(held))[:, None]
    assert weights[0] == found["weight"].values[held].max()


def test_a_text_that_a_run_lacks_is_said(library, chosen):
    lacking = chosen.but(text="nowhere")
    assert "No run was measured" in written(fill("inspector", library, lacking))


def test_another_head_estimates_nothing(folder, chosen, monkeypatch):
    library = Library(open_archive(folder))
    page_at(library, "/", f"?pin={PIN}")
    before = chosen.but(pin=str(PIN))
    monkeypatch.delattr(Measurements, "estimate")
    other = before.but(layer=3, head=1)
    assert "L3H1" in written(refill(PARTS["inspector"], library, before, other))


def test_the_strongest_edges_are_the_first_of_all_of_them_sorted():
    rng = np.random.default_rng(0)
    key = np.where(rng.random((40, 6)) < 0.8, rng.integers(0, 40, (40, 6)), -1)
    found = xr.Dataset(
        {
            "key": (("query", "rank"), key),
            "weight": (("query", "rank"), rng.integers(1, 9, (40, 6)) / 8),  # many are equal
            "visible": ("query", np.arange(1, 41)),
            "rest_by_key": ("position", np.zeros(40)),
            "token": ("position", np.array([f"t{at}" for at in range(40)], dtype=object)),
        }
    )
    pinned = {each.position for each in pinned_keys(found)}
    every = [
        (query, int(key[query, rank]), float(found["weight"][query, rank]))
        for query, rank in np.ndindex(key.shape)
        if query + 1 >= MANY_KEYS and key[query, rank] not in {-1, query, *pinned}
    ]
    assert strongest_edges(found) == sorted(every, key=lambda edge: -edge[2])[:LISTED]
