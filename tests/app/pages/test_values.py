"""The page of values shows what the archive holds of them, or says what it does not hold."""

import numpy as np
from dva_lens.app.library import Library
from dva_lens.app.pages.values import DRAINS, DYNAMISM, SHARE, measures
from explorer import fill, show
from fakes import fake_archive, fake_measurement

from dva_lens.results.archive import open_archive
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
    assert "Static values, not drawn: transformer." in str(fill("one-key", library, chosen))
    assert "reads its own values only" in show("value-sources", library, chosen).missing
    plain = Library(open_archive(fake_archive(tmp_path, models=("transformer",), seeds=1)))
    assert "static" in show("dynamism", plain, chosen).missing
    assert fill("one-key", plain, chosen) is None


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
