"""The page of values shows what the archive holds of them, or says what it does not hold."""

import numpy as np
from dva_lens.app.library import Library
from dva_lens.app.pages.values import DRAINS, DYNAMISM, SHARE, measures
from explorer import fill, show
from fakes import fake_archive, fake_measurement

from dva_lens.results.archive import open_archive
from dva_lens.results.key_values import key_values
from dva_lens.results.writer import write_run


def test_sources_are_those_of_the_chosen_run(tmp_path, chosen):
    library = Library(open_archive(fake_archive(tmp_path, models=("transformer", "resformer"))))
    shown = show("value-sources", library, chosen.but(run="resformer-1"))
    held = (
        library.kept("resformer-1", chosen.text)
        .parts[0]
        .data[SHARE]
        .isel(step=-1)
        .mean(("sequence", "kv_head"))
    )
    assert {row["model"] for row in shown.rows} == {"resformer-1"}
    for row in shown.rows:
        want = float(held.sel(layer=row["layer"], source=row["source"]))
        np.testing.assert_allclose(row["value"], want, rtol=1e-5, atol=1e-7)
    assert any(row["source"] == "first" and row["value"] > 0.1 for row in shown.rows)


def test_another_run_leaves_the_other_figures(library, chosen):
    for name in ("drains", "dynamism"):
        assert show(name, library, chosen) is show(name, library, chosen.but(run="dva-1"))


def test_every_model_has_drains(library, chosen):
    shown = show("drains", library, chosen)
    assert {row["model"] for row in shown.rows} == {"transformer", "dva"}
    assert {row["statistic"] for row in shown.rows} == set(DRAINS)


def test_what_does_not_apply_to_a_model_is_not_drawn(library, chosen, tmp_path):
    assert {row["model"] for row in show("dynamism", library, chosen).rows} == {"dva"}
    assert "Static values, not drawn: transformer." in str(fill("static-models", library, chosen))
    missing = show("one-key", library, chosen).missing
    assert "Models of this archive where they differ: dva" in missing
    assert "reads its own values only" in show("value-sources", library, chosen).missing
    plain = Library(open_archive(fake_archive(tmp_path, models=("transformer",), seeds=1)))
    assert "static" in show("dynamism", plain, chosen).missing
    assert fill("static-models", plain, chosen) is None


def test_what_queries_receive_from_one_key_is_what_was_kept(library, chosen):
    there = chosen.but(run="dva-1", layer=2, sequence=1)
    shown = show("one-key", library, there)
    kept = key_values(library.dataset("dva-1", "held-out"), 2, 0, sequence=1)
    rows = [row for row in shown.rows if row["key"] == 1]
    assert [row["query"] for row in rows] == list(range(1, kept.sizes["query"]))
    for name in ("weight", "norm", "first", "second"):
        np.testing.assert_allclose([row[name] for row in rows], kept[name].values[1, 1:])
    assert "80% of what they differ" in shown.caption
    for changes, said in (
        ({"layer": 0}, "are the same for all queries"),
        ({"sequence": 7}, "of the first 2 texts"),
        ({"text": "shuffled"}, "keeps no values of single keys"),
    ):
        assert said in show("one-key", library, there.but(**changes)).missing


def test_what_the_figures_show_is_defined_once_each(library, chosen):
    found = measures(library.catalogue)
    assert [each.variable for each in found] == [SHARE, *DRAINS, DYNAMISM]
    assert not any("(" in each.long_name for each in found)
    assert len(fill("about-values", library, chosen)) == len(found)


def test_what_was_not_measured_is_said_with_its_reason(tmp_path, chosen):
    folder = fake_archive(tmp_path, models=("transformer",), seeds=1)
    (run,) = open_archive(folder).runs
    data = fake_measurement().drop_vars(["value_drain", SHARE])
    nothing = data[DYNAMISM].where(False)
    nothing.attrs["why_not"] = "patterns came without values"
    data = data.assign({DYNAMISM: nothing})
    write_run(folder, run.key, attrs=run.attrs, measurements={"held-out": data})
    library = Library(open_archive(folder))
    chosen = chosen.but(run="transformer-0", text="held-out")
    for name, words in (
        ("value-sources", "transformer-0 does not hold value_source_share."),
        ("drains", "transformer does not hold value_drain."),
        ("dynamism", "transformer holds no dynamism: patterns came without values."),
    ):
        assert show(name, library, chosen).missing == words
