"""At equal step and at equal loss: the numbers that are compared are those of that moment."""

import re
import shutil

import numpy as np
import pytest
import xarray as xr
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.writer import write_run

NAME = "dynamism"
LOSSES = {"transformer": [4.0, 3.0, 2.0, 1.5], "dva": [4.0, 2.0, 1.0, 0.5]}


@pytest.fixture(scope="module")
def learning(study_folder, tmp_path_factory):
    """The fake study with losses that fall, in one model faster than in the other."""
    folder = shutil.copytree(study_folder, tmp_path_factory.mktemp("learning") / "study")
    archive = open_archive(folder)
    for run in archive.runs:
        data = archive.dataset(run).load()
        sequences = data.sizes["sequence"]
        falling = np.repeat(np.array(LOSSES[run.preset])[:, None], sequences, axis=1)
        loss = xr.DataArray(falling, dims=("step", "sequence"), attrs=data["loss"].attrs)
        attrs = {name: value for name, value in run.attrs.items() if name != "texts"}
        write_run(folder, run.key, attrs=attrs, measurements={"held-out": data.assign(loss=loss)})
    return folder


def shown(result, model="dva"):
    line = next(each for each in result.stdout.splitlines() if each.strip().startswith(model))
    return float(line.split()[1])


def middle(archive, run, steps, share):
    values = archive.dataset(run)[NAME].isel(layer=[1, 2]).mean(["layer", "head", "sequence"])
    before, after = (float(values.isel(step=step)) for step in steps)
    return (1 - share) * before + share * after


def test_the_moment_is_one_that_all_trainings_have(learning):
    measured = open_archive(learning).on()
    assert [measured.moment(kind).at for kind in ("last", "loss", "start")] == [160, 1.5, 0]


def test_at_equal_loss_the_faster_model_is_taken_earlier(call, learning):
    words = ("compare", learning, "--baseline", "transformer", "--statistic", NAME, "--at", "loss")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "Difference from transformer at loss 1.5000" in result.stdout
    archive = open_archive(learning)
    want = np.mean([middle(archive, f"dva-{seed}", (1, 2), 0.5) for seed in (0, 1)])
    want -= np.mean([middle(archive, f"transformer-{seed}", (2, 3), 1.0) for seed in (0, 1)])
    assert shown(result) == pytest.approx(want, abs=1e-4)


def test_at_equal_step_the_loss_does_not_matter(call, learning, study_folder):
    words = ("--baseline", "transformer", "--statistic", NAME)
    ours, theirs = call("compare", learning, *words), call("compare", study_folder, *words)
    assert "at step 160" in ours.stdout
    assert shown(ours) == shown(theirs)


def test_the_start_is_the_control_of_random_initialisation(call, learning):
    words = ("compare", learning, "--baseline", "transformer", "--statistic", NAME)
    result = call(*words, "--at", "start")
    assert "Difference from transformer at step 0" in result.stdout
    archive = open_archive(learning)
    want = np.mean([middle(archive, f"dva-{seed}", (0, 0), 0.0) for seed in (0, 1)])
    want -= np.mean([middle(archive, f"transformer-{seed}", (0, 0), 0.0) for seed in (0, 1)])
    assert shown(result) == pytest.approx(want, abs=1e-4)


def test_models_measured_once_have_no_loss_to_be_equal_at(call, refused, study_folder, tmp_path):
    folder = shutil.copytree(study_folder, tmp_path / "once")
    archive = open_archive(folder)
    for run in archive.runs:
        data = archive.dataset(run).isel(step=-1, drop=True).load()
        attrs = {name: value for name, value in run.attrs.items() if name != "texts"}
        write_run(folder, run.key, attrs=attrs, measurements={"held-out": data})
    words = ("compare", folder, "--baseline", "transformer", "--statistic", "entropy")
    assert "as measured" in call(*words).stdout
    assert re.search("measured once .* equal loss", refused(*words, "--at", "loss"))


def test_one_entry_of_a_statistic_is_compared(call, refused, study_folder):
    words = ("compare", study_folder, "--baseline", "transformer", "--heads", "--statistic")
    result = call(*words, "sink_rate:0.3")
    assert result.exit_code == 0, result.output
    assert "sink_rate:0.3, mean over the middle half of the layers" in result.stdout
    archive = open_archive(study_folder)
    means = {
        preset: np.mean([
            archive.dataset(f"{preset}-{seed}")["sink_rate"]
            .sel(threshold=0.3).isel(step=-1, layer=[1, 2]).mean()
            for seed in (0, 1)
        ])
        for preset in ("transformer", "dva")
    }  # fmt: skip
    assert shown(result) == pytest.approx(means["dva"] - means["transformer"], abs=1e-4)
    assert shown(call(*words, "sink_rate")) == shown(result)
    assert "threshold of 'sink_rate' is one of 0.1, 0.2" in refused(*words, "sink_rate:0.35")
    assert "only of threshold, got '0.3:1'" in refused(*words, "sink_rate:0.3:1")
    assert "has entries of nothing" in refused(*words, "entropy:0.3")


def test_a_single_model_has_nothing_to_be_compared_with(call, tmp_path):
    folder = fake_archive(tmp_path / "one", models=("dva",), seeds=1)
    result = call("compare", folder, "--baseline", "dva", "--statistic", "entropy")
    assert result.exit_code == 0
    assert "dva is the only model" in result.stdout
