"""Models of the controlled grid, trained and measured as a study."""

import json

import numpy as np
import pytest

from dva_lens.reports.report import write_report
from dva_lens.results.archive import open_archive
from dva_lens.study.definition import Study
from dva_lens.study.matching import NEAR
from dva_lens.study.runner import run


@pytest.fixture(scope="module")
def cells(text, tmp_path_factory):
    """Return the archive of two models of the grid, matched in operations."""
    study = Study.from_dict(
        {
            "name": "cells",
            "presets": ["1h-noff-pairwise-*"],
            "match": {"by": "flops", "baseline": "1h-noff-static-own"},
            "seeds": [0],
            "size": {"layers": 2, "width": 32, "heads": 2, "vocabulary": 270, "context": 32},
            "recipe": {"steps": 8, "batch": 2, "warmup": 1, "measurements": 1, "eval_every": 8},
            "texts": ["held-out"],
            "sequences": 2,
            "text": str(text),
        }
    )
    folder = tmp_path_factory.mktemp("cells")
    run(study, folder)
    return open_archive(folder)


def test_models_of_the_grid_are_trained_and_measured(cells):
    assert [each.label for each in cells.runs] == [
        "1h-noff-pairwise-own-0",
        "1h-noff-pairwise-residual-0",
    ]
    for each in cells.runs:
        data = cells.dataset(each.key, "held-out")
        assert (data["dynamism"].isel(step=-1) > 0).all()
        training = cells.training(each.key)
        assert np.isfinite(training["held_out_loss"]).any()


def test_what_matching_came_to_is_recorded(cells):
    for each in cells.runs:
        attrs = cells.run(each.key).attrs
        config = json.loads(attrs["config"])
        assert config["qk_dim"] == 16
        assert config["width"] < 32
        layer = 2 * 32 * (16 + 16 + 32 + 32) + 33 * (16 + 32)
        baseline = 2 * 32 * config["vocabulary"] + 2 * layer
        assert attrs["flops_per_token"] == pytest.approx(baseline, rel=NEAR)
        assert attrs["parameters"] > 0


def test_a_report_says_that_models_were_matched(cells, tmp_path):
    page = write_report(cells.folder, tmp_path / "report.html").read_text()
    assert "models matched in" in page
    assert "flops, to within 5% of 1h-noff-static-own" in page
