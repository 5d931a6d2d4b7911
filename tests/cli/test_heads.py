"""Heads as collections: what is printed is what the numbers of the archive say."""

import re

import numpy as np
from scipy import stats

from dva_lens.results.archive import open_archive

LINE = re.compile(
    r"dva +(\S+)  (\S+)  (\S+)  distance (\S+); between seeds (\S+)\n", flags=re.MULTILINE
)


def cells(archive, preset):
    found = []
    for run in archive.runs:
        if run.preset == preset:
            data = archive.dataset(run.label).isel(step=-1)
            found.append(data["head_importance_excess"].mean("sequence").values.ravel())
    return found


def test_quantiles_and_distances_are_those_of_the_heads(call, study_folder):
    words = ("compare", study_folder, "--baseline", "transformer", "--heads")
    result = call(*words, "--statistic", "head_importance_excess")
    assert result.exit_code == 0, result.output
    numbers = [float(each) for each in LINE.search(result.stdout).groups()]
    archive = open_archive(study_folder)
    ours, theirs = cells(archive, "dva"), cells(archive, "transformer")
    want = np.quantile(np.concatenate(ours), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(numbers[:3], want, atol=1e-4)
    across = [stats.wasserstein_distance(one, other) for one in ours for other in theirs]
    within = [stats.wasserstein_distance(*model) for model in (ours, theirs)]
    np.testing.assert_allclose(numbers[3:], [np.mean(across), np.mean(within)], atol=1e-4)


def test_what_is_not_of_heads_says_so(call, study_folder):
    words = ("compare", study_folder, "--baseline", "transformer", "--heads")
    result = call(*words, "--statistic", "importance_entropy")
    assert "importance_entropy: not measured per head" in result.stdout


def test_heads_are_read_at_the_last_step_alone(call, study_folder):
    words = ("--baseline", "transformer", "--heads", "--at", "loss")
    result = call("compare", study_folder, *words)
    assert result.exit_code == 2
    assert "--heads uses the last step" in result.stderr
