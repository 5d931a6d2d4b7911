"""The page of competing definitions, from an archive that holds some of them."""

import numpy as np
import pytest
from dva_lens.analyses.competing_definitions import QUESTION, main, reading
from fakes import fake_archive
from records import random_record

from dva_lens.measuring import describe
from dva_lens.results.collect import collect
from dva_lens.statistics.inference.agreement import RIVALS, Definition


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return fake_archive(tmp_path_factory.mktemp("study"), models=("transformer", "dva"))


def test_the_page_shows_what_was_measured_and_leaves_out_the_rest(folder, tmp_path, capsys):
    out = tmp_path / "definitions.html"
    assert main([str(folder), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert QUESTION in page
    assert RIVALS["sink"].question in page
    assert "(1) sail-sg: rate at 0.3" in page
    assert RIVALS["induction"].question not in page
    assert capsys.readouterr().out == f"Report: {out}\n"


def test_definitions_that_differ_by_a_reference_read_alike():
    data = describe(
        random_record((9, 7)), statistics=["importance_entropy", "head_importance_excess"]
    )
    whole, per_head, excess = (
        reading(collect(data), each, "layer") for each in RIVALS["importance"].definitions
    )
    reference = data["importance_entropy_reference"].values
    whole, per_head, excess = (one.isel(model=0, seed=0) for one in (whole, per_head, excess))
    np.testing.assert_allclose(per_head, excess - reference, rtol=1e-6)
    np.testing.assert_allclose(whole, -data["importance_entropy"].values, rtol=1e-6)


def test_an_entry_is_chosen_and_others_are_averaged():
    data = describe(random_record((9, 7)), statistics=["sink_rate"])
    one = reading(collect(data), Definition("", "sink_rate", {"threshold": 0.3}), "head")
    by_hand = data["sink_rate"].sel(threshold=0.3).mean("sequence")
    np.testing.assert_allclose(one.isel(model=0, seed=0), by_hand)
    curve = reading(collect(data), Definition("", "sink_rate"), "head")
    want = data["sink_rate"].mean(["sequence", "threshold"])
    np.testing.assert_allclose(curve.isel(model=0, seed=0), want, rtol=1e-6)


def test_a_folder_without_archive_is_one_sentence(tmp_path, capsys):
    assert main([str(tmp_path / "nothing")]) == 1
    assert "There is no folder" in capsys.readouterr().err
