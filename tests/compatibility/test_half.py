"""A study that was killed before names changed continues where it was."""

import numpy as np
import pytest

import dva_lens as lens
from dva_lens.study.builtin import read_study
from dva_lens.study.runner import run


@pytest.fixture
def continued(half):
    """The archive of the study after it went on, and what it said meanwhile."""
    said = []
    run(read_study("half.yaml"), "half", said.append)
    return lens.open_archive(half / "half"), said


def test_it_continues_with_the_step_it_was_at_and_ends_where_it_would_have(
    continued, expected, half
):
    archive, said = continued
    phases = {}
    for moment in said:
        phases.setdefault(moment.run, []).append((moment.phase, moment.step))
    # A run that was finished gets the statistics that came since, and is not trained again.
    assert [phase for phase, _ in phases["transformer-3"]] == ["measure", "finished"]
    assert "top_key_mass" in archive.dataset("transformer-3")
    trained = [step for phase, step in phases["sigmoid-3"] if phase == "train" and step]
    assert trained[0] == 21
    assert [step for phase, step in phases["resformer-sparse-3"] if phase == "train"][:2] == [0, 1]
    assert {one.label: one.key for one in archive.runs} == {
        label: wanted["key"] for label, wanted in expected["half"].items()
    }
    for label, wanted in expected["half"].items():
        log = archive.training(label)
        np.testing.assert_allclose(log["loss"].values[[0, 19, 39]], wanted["loss"], rtol=1e-4)
        assert log["held_out_loss"].values[-1] == pytest.approx(wanted["held_out_loss"], rel=1e-4)
        entropy = np.nanmean(archive.dataset(label)["entropy"].values[-1])
        assert entropy == pytest.approx(wanted["entropy"], rel=1e-4)
    assert [path.name for path in (half / "half" / ".partial").iterdir()] == ["lock"]
